#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace portolan {

enum class Normalization { kLayerNorm, kRmsNorm };
enum class Activation { kGelu, kSwiGlu };
enum class PositionEncoding { kLearned, kRotary };

/// A decoder-only transformer, GPT-2/3 or LLaMA style. Sizes are whole-model: nothing here knows of
/// tensor parallelism or batches.
struct TransformerConfig {
  std::string name;
  std::int64_t num_layers = 0;
  std::int64_t hidden_size = 0;
  std::int64_t num_heads = 0;
  std::int64_t num_kv_heads = 0;   ///< grouped-query attention; equals num_heads without it
  std::int64_t ffn_size = 0;       ///< width of the MLP; of each of its two halves with SwiGLU
  std::int64_t vocab_size = 0;     ///< before padding
  std::int64_t max_positions = 0;  ///< learned positions, and the longest sequence
  Normalization normalization = Normalization::kLayerNorm;
  Activation activation = Activation::kGelu;
  PositionEncoding position = PositionEncoding::kLearned;
  bool linear_bias = true;      ///< query/key/value, projection and MLP layers have biases
  bool tied_embeddings = true;  ///< the head's weight is the word embedding's
  double norm_epsilon = 1e-5;
  double rotary_theta = 10000;
  double initializer_std = 0.02;

  bool operator==(const TransformerConfig&) const = default;

  std::int64_t head_dim() const { return hidden_size / num_heads; }
  /// Columns of the fused query, key and value projection.
  std::int64_t qkv_size() const { return (num_heads + 2 * num_kv_heads) * head_dim(); }
};

/// Where a TransformerConfig cannot exist. `key` is the field, for the caller to find its line.
struct ConfigProblem {
  std::string key;
  std::string message;  ///< value and what is allowed
};
/// The first impossibility: a size below 1, hidden_size not divisible by num_heads, num_heads not divisible
/// by num_kv_heads, an odd head dimension with rotary positions, sizes whose parameter count overflows.
std::optional<ConfigProblem> find_problem(const TransformerConfig& config);

/// Trainable parameters of the whole model, vocabulary unpadded, tied head counted once.
std::int64_t num_parameters(const TransformerConfig& config);
/// Of one layer.
std::int64_t num_layer_parameters(const TransformerConfig& config);

}  // namespace portolan
