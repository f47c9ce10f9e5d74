#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace portolan {

enum class Normalization { kLayerNorm, kRmsNorm };
enum class Activation { kGelu, kSwiGlu, kRelu };
/// kAlibi: a bias of the attention scores that grows with distance, no table (Press et al. 2021, arXiv
/// 2108.12409).
enum class PositionEncoding { kLearned, kRotary, kAlibi };

/// A decoder-only transformer as published models have it. Sizes are whole-model: nothing here knows of
/// tensor parallelism or batches.
struct TransformerConfig {
  std::string name;
  std::int64_t num_layers = 0;
  std::int64_t hidden_size = 0;
  std::int64_t num_heads = 0;
  std::int64_t num_kv_heads = 0;  ///< grouped-query attention; equals num_heads without it
  /// Width of one head where it is not hidden_size / num_heads (Mistral Nemo, Qwen3).
  std::optional<std::int64_t> explicit_head_dim;
  std::int64_t ffn_size = 0;       ///< width of the MLP; of each of its two halves with SwiGLU
  std::int64_t vocab_size = 0;     ///< before padding
  std::int64_t max_positions = 0;  ///< learned positions, and the longest sequence
  Normalization normalization = Normalization::kLayerNorm;
  Activation activation = Activation::kGelu;
  PositionEncoding position = PositionEncoding::kLearned;
  bool linear_bias = true;      ///< query/key/value, projection and MLP layers have biases
  bool qkv_bias = false;        ///< query/key/value have, whatever linear_bias says (Qwen2)
  bool tied_embeddings = true;  ///< the head's weight is the word embedding's
  /// Attention and MLP read the same hidden states, each through its norm; one sum joins both (GPT-NeoX:
  /// Black et al. 2022, arXiv 2204.06745, section 2.1). One dropout then masks the sum.
  bool parallel_residual = false;
  bool embedding_norm = false;  ///< a norm behind the embedding (BLOOM: arXiv 2211.05100, section 3.2.2)
  /// An RMS norm of each head's query and key, its gain shared by all heads (Qwen3: arXiv 2505.09388).
  bool query_key_norm = false;
  /// Rows of the position table before that of the first token (OPT: 2, left over from padding).
  std::int64_t position_offset = 0;
  /// Columns of each head that rotary positions turn (GPT-NeoX rotary_pct); none: all.
  std::optional<std::int64_t> rotary_dim;
  /// Tokens that a query looks back on (Mistral). Kept, not priced: attention costs as if causal over the
  /// whole sequence, which is exact for sequences up to the window and too much beyond.
  std::optional<std::int64_t> sliding_window;
  double norm_epsilon = 1e-5;
  double rotary_theta = 10000;
  double initializer_std = 0.02;

  bool operator==(const TransformerConfig&) const = default;

  std::int64_t head_dim() const { return explicit_head_dim.value_or(hidden_size / num_heads); }
  /// Columns of the context that the projection reads.
  std::int64_t context_size() const { return num_heads * head_dim(); }
  /// Columns of the fused query, key and value projection.
  std::int64_t qkv_size() const { return (num_heads + 2 * num_kv_heads) * head_dim(); }
  bool has_qkv_bias() const { return linear_bias || qkv_bias; }
};

/// Where a TransformerConfig cannot exist. `key` is the field, for the caller to find its line.
struct ConfigProblem {
  std::string key;
  std::string message;  ///< value and what is allowed
};
/// The first impossibility: a size below 1, hidden_size not divisible by num_heads without a head dimension
/// of its own, num_heads not divisible by num_kv_heads, an odd number of rotated columns, sizes whose
/// parameter count overflows.
std::optional<ConfigProblem> find_problem(const TransformerConfig& config);

/// Trainable parameters of the whole model, vocabulary unpadded, tied head counted once.
std::int64_t num_parameters(const TransformerConfig& config);
/// Of one layer.
std::int64_t num_layer_parameters(const TransformerConfig& config);
/// Of the position table; 0 without one.
std::int64_t num_position_rows(const TransformerConfig& config);

}  // namespace portolan
