#pragma once

#include "kernels/operands/attention.h"

namespace portolan::operands {

/// Rotary position embedding, in place on the Q and K columns of qkv. Column j of a head's first half is
/// rotated with column j of its second half by the angle position * theta^(-2j / head_dim); the backward
/// kernel rotates the gradient back. Source: Su et al. 2021, arXiv:2104.09864, in the halves convention of
/// LLaMA checkpoints. Preconditions: head_dim is even and at most kMaxRotaryHeadDim.
template <typename T>
struct Rotary {
  AttentionShape shape;
  double theta = 10000;  ///< base of the frequencies, 10000 in the paper
  T* qkv;                // (rows, qkv_columns)
};

inline constexpr std::int64_t kMaxRotaryHeadDim = 1024;  ///< bounds the tables on the stack

}  // namespace portolan::operands
