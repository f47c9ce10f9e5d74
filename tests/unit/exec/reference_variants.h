#pragma once

#include <cstdint>
#include <vector>

#include "kernels/operands/attention.h"
#include "model/kernel.h"

namespace portolan {

// What models do differently from GPT-2 and LLaMA, in double precision and by the definitions in the papers.
// The host device has none of it yet.

/// qkv with values of 0 where `rows` holds queries and keys alone (norms of heads); else a copy.
std::vector<double> with_values(const operands::AttentionShape& shape, const std::vector<double>& rows);
/// The first columns of `qkv` that `rows` has room for.
void copy_back(const operands::AttentionShape& shape, const std::vector<double>& qkv,
               std::vector<double>& rows);

/// Adds -2^(-exponent i / n) x distance x sqrt(head_dim) to the scores of head i of n: the softmax divides by
/// that root. Press et al. 2021, arXiv 2108.12409, section 3.
void add_alibi(const operands::AttentionShape& shape, double exponent, std::vector<double>& scores);

enum class Turn { kForward, kBackward };
/// Rotary positions of the first `columns` of each head of qkv.
void rotate_part(const operands::AttentionShape& shape, std::int64_t columns, double theta, Turn turn,
                 std::vector<double>& qkv);

/// y = x / sqrt(mean(x^2) + epsilon) x gain over each head of query and key. Rows of qk hold these alone.
struct HeadNorm {
  const Kernel& kernel;
  const std::vector<double>& qkv;
  const std::vector<double>& query_gain;
  const std::vector<double>& key_gain;
};
void head_norm_forward(const HeadNorm& norm, std::vector<double>& qk, std::vector<double>& rstd);
struct HeadNormGradients {
  std::vector<double>& dqkv;  ///< of qk on entry, of qkv on return, in its columns
  std::vector<double>& dquery_gain;
  std::vector<double>& dkey_gain;
};
void head_norm_backward(const HeadNorm& norm, const std::vector<double>& rstd, const HeadNormGradients& d);

}  // namespace portolan
