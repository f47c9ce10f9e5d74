#include "sample_models.h"

namespace portolan {

TransformerConfig gpt(const GptSizes& sizes) {
  TransformerConfig config;
  config.num_layers = sizes.layers;
  config.hidden_size = sizes.hidden;
  config.num_heads = sizes.heads;
  config.num_kv_heads = sizes.heads;
  config.ffn_size = 4 * sizes.hidden;
  config.vocab_size = sizes.vocab;
  config.max_positions = sizes.positions;
  return config;
}

TransformerConfig llama(const LlamaSizes& sizes) {
  TransformerConfig config;
  config.num_layers = sizes.layers;
  config.hidden_size = sizes.hidden;
  config.num_heads = sizes.heads;
  config.num_kv_heads = sizes.kv_heads;
  config.ffn_size = sizes.ffn;
  config.vocab_size = 32000;
  config.max_positions = 4096;
  config.normalization = Normalization::kRmsNorm;
  config.activation = Activation::kSwiGlu;
  config.position = PositionEncoding::kRotary;
  config.linear_bias = false;
  config.tied_embeddings = false;
  return config;
}

namespace {

TransformerConfig small_llama() {
  TransformerConfig config = llama({.layers = 2, .hidden = 16, .heads = 4, .kv_heads = 2, .ffn = 24});
  config.vocab_size = 20;
  config.max_positions = 8;
  return config;
}

}  // namespace

TransformerConfig small_gpt() {
  return gpt({.layers = 2, .hidden = 16, .heads = 4, .vocab = 20, .positions = 8});
}

TransformerConfig small_opt() {
  TransformerConfig config = small_gpt();
  config.activation = Activation::kRelu;
  config.position_offset = 2;
  return config;
}

TransformerConfig small_bloom() {
  TransformerConfig config = small_gpt();
  config.position = PositionEncoding::kAlibi;
  config.embedding_norm = true;
  return config;
}

TransformerConfig small_neox() {
  TransformerConfig config = small_gpt();
  config.position = PositionEncoding::kRotary;
  config.explicit_head_dim = 8;
  config.rotary_dim = 2;
  config.parallel_residual = true;
  config.tied_embeddings = false;
  return config;
}

TransformerConfig small_qwen2() {
  TransformerConfig config = small_llama();
  config.qkv_bias = true;
  return config;
}

TransformerConfig small_qwen3() {
  TransformerConfig config = small_llama();
  config.query_key_norm = true;
  config.explicit_head_dim = 6;
  return config;
}

TransformerConfig small_mistral() {
  TransformerConfig config = small_llama();
  config.explicit_head_dim = 2;
  config.sliding_window = 4;
  return config;
}

TransformerConfig small_mixtral() {
  TransformerConfig config = small_llama();
  config.experts = {.num_experts = 4, .experts_per_token = 2, .expert_ffn_size = 24};
  return config;
}

TransformerConfig small_deepseek() {
  TransformerConfig config = small_mixtral();
  config.num_layers = 4;
  config.experts->shared_ffn_size = 8;
  config.experts->first_dense_layers = 1;
  config.experts->router_bias = true;
  return config;
}

TransformerConfig small_switch() {
  TransformerConfig config = small_gpt();
  config.num_layers = 4;
  config.experts = {.num_experts = 4,
                    .experts_per_token = 1,
                    .expert_ffn_size = 24,
                    .layer_period = 2,
                    .capacity_factor = 1.5};
  return config;
}

TransformerConfig small_latent() {
  TransformerConfig config = small_llama();
  config.num_kv_heads = config.num_heads;
  config.latent = {
      .q_lora_rank = 6, .kv_lora_rank = 7, .qk_nope_head_dim = 3, .qk_rope_head_dim = 2, .v_head_dim = 4};
  return config;
}

TransformerConfig small_latent_without_query_rank() {
  TransformerConfig config = small_latent();
  config.latent->q_lora_rank = 0;
  return config;
}

std::vector<TransformerConfig> expert_styles() { return {small_mixtral(), small_deepseek(), small_switch()}; }

std::vector<Kernel> of_kind(const std::vector<GroupedKernel>& kernels, KernelKind kind) {
  std::vector<Kernel> found;
  for (const GroupedKernel& grouped : kernels) {
    if (grouped.kernel.kind == kind) {
      found.push_back(grouped.kernel);
    }
  }
  return found;
}

std::vector<BlockOptions> expert_options() {
  std::vector<BlockOptions> list;
  for (BlockOptions options : all_options()) {
    for (const bool divided : {false, true}) {
      if (divided && options.tensor_parallel == 1) {
        continue;
      }
      options.sequence_parallel = divided;
      for (const std::int64_t expert_parallel : {1, 2, 4}) {
        options.expert_parallel = expert_parallel;
        list.push_back(options);
      }
    }
  }
  return list;
}

std::vector<TransformerConfig> all_styles() {
  std::vector<TransformerConfig> styles;
  for (unsigned bits = 0; bits < 64; ++bits) {
    TransformerConfig config = gpt({.layers = 2, .hidden = 16, .heads = 4, .vocab = 20, .positions = 8});
    config.normalization = bits & 1U ? Normalization::kRmsNorm : Normalization::kLayerNorm;
    config.activation = bits & 2U ? Activation::kSwiGlu : Activation::kGelu;
    config.position = bits & 4U ? PositionEncoding::kRotary : PositionEncoding::kLearned;
    config.num_kv_heads = bits & 8U ? 2 : 4;
    config.linear_bias = (bits & 16U) != 0;
    config.tied_embeddings = (bits & 32U) != 0;
    styles.push_back(config);
  }
  for (const TransformerConfig& variant :
       {small_opt(), small_bloom(), small_neox(), small_qwen2(), small_qwen3(), small_mistral(),
        small_latent(), small_latent_without_query_rank()}) {
    styles.push_back(variant);
  }
  return styles;
}

std::vector<BlockOptions> all_options() {
  std::vector<BlockOptions> list;
  for (unsigned bits = 0; bits < 128; ++bits) {
    BlockOptions options;
    options.microbatch_size = 2;
    options.sequence_length = 4;
    options.tensor_parallel = bits & 1U ? 2 : 1;
    options.dropout = (bits & 2U) != 0;
    options.fused_softmax = (bits & 4U) != 0;
    options.fused_gradient_accumulation = (bits & 8U) != 0;
    options.compute_bytes = bits & 16U ? 2 : 4;
    options.keep_narrow_gradients = options.dropout;
    // As eager code has all of it.
    const bool fused = (bits & 32U) == 0;
    options.fused_norms = options.fused_activation = options.fused_dropout_add = options.fused_rotary =
        options.fused_residual_gradient = options.fused_logits_conversion = fused;
    options.cross_entropy_passes = fused ? 2 : 5;
    options.logits_metrics = fused ? 0 : 2;
    options.flash_attention = (bits & 64U) != 0;
    options.flash_skips_masked = options.flash_attention && options.fused_softmax;
    list.push_back(options);
  }
  for (unsigned bits = 0; bits < 16; ++bits) {
    BlockOptions options;
    options.microbatch_size = 2;
    options.sequence_length = 8;
    options.tensor_parallel = bits & 3U ? 2 : 1;
    options.sequence_parallel = (bits & 2U) != 0;
    options.context_parallel = bits & 4U ? 4 : 2;
    options.compute_bytes = 2;
    options.dropout = (bits & 1U) != 0;
    options.flash_attention = true;
    options.flash_skips_masked = (bits & 8U) != 0;
    list.push_back(options);
  }
  return list;
}

}  // namespace portolan
