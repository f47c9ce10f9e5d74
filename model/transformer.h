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

/// The MLP of some layers as many experts, of which a router picks a few for each token (model/experts.h).
struct MixtureOfExperts {
  std::int64_t num_experts = 0;
  std::int64_t experts_per_token = 1;
  std::int64_t expert_ffn_size = 0;     ///< width of one expert's MLP; of each of its two halves with SwiGLU
  std::int64_t shared_ffn_size = 0;     ///< of the experts that every token passes, together; 0: none
  std::int64_t first_dense_layers = 0;  ///< these have an ordinary MLP
  std::int64_t layer_period = 1;        ///< of the others, layers n - 1, 2n - 1, ... have experts
  /// Slots of an expert, in shares of what balanced tokens fill; none: as many as come (dropless).
  std::optional<double> capacity_factor = {};
  /// A bias that steers which experts are picked (DeepSeek-V3: arXiv 2412.19437, section 2.1.2). It is
  /// updated by the load of its expert, which is counted where a gradient would be.
  bool router_bias = false;

  bool operator==(const MixtureOfExperts&) const = default;
};

/// Queries, keys and values by way of narrow latent vectors (DeepSeek-V2: arXiv 2405.04434, section 2.1).
struct LatentAttention {
  std::int64_t q_lora_rank = 0;  ///< of the queries' latent vector; 0: they are projected directly
  std::int64_t kv_lora_rank = 0;
  std::int64_t qk_nope_head_dim = 0;  ///< columns of a head's query and key without position
  std::int64_t qk_rope_head_dim = 0;  ///< with rotary position: the key's are shared by all heads
  std::int64_t v_head_dim = 0;

  /// Width of a head's query and key.
  std::int64_t qk_head_dim() const { return qk_nope_head_dim + qk_rope_head_dim; }

  bool operator==(const LatentAttention&) const = default;
};

/// A decoder-only transformer as published models have it. Sizes are whole-model: nothing here knows of
/// tensor parallelism or batches.
struct TransformerConfig {
  std::string name;
  std::int64_t num_layers = 0;
  std::int64_t hidden_size = 0;
  std::int64_t num_heads = 0;
  std::int64_t num_kv_heads = 0;  ///< grouped-query attention; equals num_heads without it
  /// Width of one head where it is not hidden_size / num_heads (Mistral Nemo, Qwen3).
  std::optional<std::int64_t> explicit_head_dim = {};
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
  std::optional<std::int64_t> rotary_dim = {};
  /// Tokens that a query sees, itself and those before it (Mistral: Jiang et al. 2023, arXiv 2310.06825,
  /// section 2), in every layer. What computes less with it is BlockOptions::flash_window.
  std::optional<std::int64_t> sliding_window = {};
  std::optional<MixtureOfExperts> experts = {};
  std::optional<LatentAttention> latent = {};
  double norm_epsilon = 1e-5;
  double rotary_theta = 10000;
  double initializer_std = 0.02;

  bool operator==(const TransformerConfig&) const = default;

  /// Width of a head's query and key.
  std::int64_t head_dim() const {
    return latent ? latent->qk_head_dim() : explicit_head_dim.value_or(hidden_size / num_heads);
  }
  /// Width of a head's value.
  std::int64_t value_dim() const { return latent ? latent->v_head_dim : head_dim(); }
  /// Columns of the context that the projection reads.
  std::int64_t context_size() const { return num_heads * value_dim(); }
  /// Columns of queries, keys and values together: of their fused projection where there is one.
  std::int64_t qkv_size() const { return num_heads * head_dim() + num_kv_heads * (head_dim() + value_dim()); }
  bool has_qkv_bias() const { return linear_bias || qkv_bias; }
};

/// Where a TransformerConfig cannot exist. `key` is the field, for the caller to find its line.
struct ConfigProblem {
  std::string key;
  std::string message;  ///< value and what is allowed
};
/// The first impossibility: a size below 1, hidden_size not divisible by num_heads without a head dimension
/// of its own, num_heads not divisible by num_kv_heads, an odd number of rotated columns, what latent
/// attention has no place for, sizes whose parameter count overflows.
std::optional<ConfigProblem> find_problem(const TransformerConfig& config);

enum class LayerKind : std::uint8_t { kDense, kExperts };
/// Of layer `layer`, from 0.
LayerKind layer_kind(const TransformerConfig& config, std::int64_t layer);
std::int64_t num_layers_of(const TransformerConfig& config, LayerKind kind);

/// Trainable parameters of the whole model, vocabulary unpadded, tied head counted once.
std::int64_t num_parameters(const TransformerConfig& config);
/// Of these, what one token passes: of a layer's experts, experts_per_token and the shared ones.
std::int64_t num_active_parameters(const TransformerConfig& config);
/// Of one layer.
std::int64_t num_layer_parameters(const TransformerConfig& config, LayerKind kind = LayerKind::kDense);
/// Of the position table; 0 without one.
std::int64_t num_position_rows(const TransformerConfig& config);

}  // namespace portolan
