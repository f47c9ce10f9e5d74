#include "model/transformer.h"

namespace portolan {

namespace {

/// Norms have a gain, layer norms a bias too.
std::int64_t norm_parameters(const TransformerConfig& config) {
  return config.normalization == Normalization::kLayerNorm ? 2 * config.hidden_size : config.hidden_size;
}

/// The output projection alone may have a bias.
std::int64_t latent_attention_parameters(const TransformerConfig& config) {
  const LatentAttention& latent = *config.latent;
  const std::int64_t h = config.hidden_size;
  const std::int64_t query = config.num_heads * config.head_dim();
  const std::int64_t queries =
      latent.q_lora_rank == 0 ? h * query : latent.q_lora_rank * (h + 1 + query);  // with a norm's gain
  const std::int64_t keys_and_values =
      h * (latent.kv_lora_rank + latent.qk_rope_head_dim) +
      latent.kv_lora_rank * (1 + config.num_heads * (latent.qk_nope_head_dim + latent.v_head_dim));
  return queries + keys_and_values + config.context_size() * h + (config.linear_bias ? h : 0);
}

std::int64_t attention_parameters(const TransformerConfig& config) {
  if (config.latent) {
    return latent_attention_parameters(config);
  }
  const std::int64_t h = config.hidden_size;
  const std::int64_t biases = (config.has_qkv_bias() ? config.qkv_size() : 0) + (config.linear_bias ? h : 0);
  const std::int64_t head_norms = config.query_key_norm ? 2 * config.head_dim() : 0;
  return h * config.qkv_size() + config.context_size() * h + biases + head_norms;
}

std::int64_t mlp_parameters(const TransformerConfig& config, std::int64_t ffn_size, bool bias) {
  const std::int64_t fc1 = config.activation == Activation::kSwiGlu ? 2 * ffn_size : ffn_size;
  return config.hidden_size * (fc1 + ffn_size) + (bias ? fc1 + config.hidden_size : 0);
}

/// With `num_experts` of them.
std::int64_t expert_parameters(const TransformerConfig& config, std::int64_t num_experts) {
  const MixtureOfExperts& x = *config.experts;
  const std::int64_t router = x.num_experts * (config.hidden_size + (x.router_bias ? 1 : 0));
  const std::int64_t shared =
      x.shared_ffn_size == 0 ? 0 : mlp_parameters(config, x.shared_ffn_size, config.linear_bias);
  return router + num_experts * mlp_parameters(config, x.expert_ffn_size, false) + shared;
}

std::int64_t layer_parameters(const TransformerConfig& config, LayerKind kind, std::int64_t num_experts) {
  const std::int64_t mlp = kind == LayerKind::kExperts
                               ? expert_parameters(config, num_experts)
                               : mlp_parameters(config, config.ffn_size, config.linear_bias);
  return attention_parameters(config) + mlp + 2 * norm_parameters(config);
}

std::int64_t model_parameters(const TransformerConfig& config, std::int64_t num_experts) {
  const std::int64_t h = config.hidden_size;
  std::int64_t count = config.vocab_size * h + num_position_rows(config) * h;
  count += norm_parameters(config) * (config.embedding_norm ? 2 : 1);
  count += config.tied_embeddings ? 0 : config.vocab_size * h;
  for (const LayerKind kind : {LayerKind::kDense, LayerKind::kExperts}) {
    if (const std::int64_t layers = num_layers_of(config, kind); layers > 0) {
      count += layers * layer_parameters(config, kind, num_experts);
    }
  }
  return count;
}

}  // namespace

LayerKind layer_kind(const TransformerConfig& config, std::int64_t layer) {
  const bool experts = config.experts && layer >= config.experts->first_dense_layers &&
                       (layer + 1) % config.experts->layer_period == 0;
  return experts ? LayerKind::kExperts : LayerKind::kDense;
}

std::int64_t num_layers_of(const TransformerConfig& config, LayerKind kind) {
  std::int64_t with_experts = 0;
  if (config.experts) {
    const std::int64_t period = config.experts->layer_period;
    with_experts = config.num_layers / period - config.experts->first_dense_layers / period;
  }
  return kind == LayerKind::kExperts ? with_experts : config.num_layers - with_experts;
}

std::int64_t num_parameters(const TransformerConfig& config) {
  return model_parameters(config, config.experts ? config.experts->num_experts : 0);
}

std::int64_t num_active_parameters(const TransformerConfig& config) {
  return model_parameters(config, config.experts ? config.experts->experts_per_token : 0);
}

std::int64_t num_layer_parameters(const TransformerConfig& config, LayerKind kind) {
  return layer_parameters(config, kind, kind == LayerKind::kExperts ? config.experts->num_experts : 0);
}

std::int64_t num_position_rows(const TransformerConfig& config) {
  return config.position == PositionEncoding::kLearned ? config.max_positions + config.position_offset : 0;
}

}  // namespace portolan
