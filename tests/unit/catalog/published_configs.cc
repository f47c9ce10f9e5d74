#include "published_configs.h"

#include <gtest/gtest.h>

namespace portolan {

namespace {

const char* const kGptNeox20b = R"({
  "architectures": ["GPTNeoXForCausalLM"],
  "attention_probs_dropout_prob": 0,
  "hidden_act": "gelu_fast",
  "hidden_size": 6144,
  "initializer_range": 0.02,
  "intermediate_size": 24576,
  "layer_norm_eps": 1e-05,
  "max_position_embeddings": 2048,
  "model_type": "gpt_neox",
  "num_attention_heads": 64,
  "num_hidden_layers": 44,
  "rotary_emb_base": 10000,
  "rotary_pct": 0.25,
  "tie_word_embeddings": false,
  "use_cache": true,
  "vocab_size": 50432
})";

const char* const kOpt66b = R"({
  "activation_function": "relu",
  "architectures": ["OPTForCausalLM"],
  "do_layer_norm_before": true,
  "dropout": 0.1,
  "ffn_dim": 36864,
  "hidden_size": 9216,
  "init_std": 0.02,
  "max_position_embeddings": 2048,
  "model_type": "opt",
  "num_attention_heads": 72,
  "num_hidden_layers": 64,
  "pad_token_id": 1,
  "vocab_size": 50272,
  "word_embed_proj_dim": 9216
})";

const char* const kOpt175b = R"({
  "_remove_final_layer_norm": false,
  "activation_function": "relu",
  "do_layer_norm_before": true,
  "ffn_dim": 49152,
  "hidden_size": 12288,
  "max_position_embeddings": 2048,
  "model_type": "opt",
  "num_attention_heads": 96,
  "num_hidden_layers": 96,
  "vocab_size": 50272,
  "word_embed_proj_dim": 12288
})";

const char* const kBloom = R"({
  "apply_residual_connection_post_layernorm": false,
  "architectures": ["BloomForCausalLM"],
  "attention_softmax_in_fp32": true,
  "hidden_dropout": 0.0,
  "initializer_range": 0.02,
  "layer_norm_epsilon": 1e-05,
  "model_type": "bloom",
  "n_embed": 14336,
  "n_layer": 70,
  "num_attention_heads": 112,
  "pretraining_tp": 4,
  "vocab_size": 250880
})";

const char* const kMistral7b = R"({
  "architectures": ["MistralForCausalLM"],
  "hidden_act": "silu",
  "hidden_size": 4096,
  "initializer_range": 0.02,
  "intermediate_size": 14336,
  "max_position_embeddings": 32768,
  "model_type": "mistral",
  "num_attention_heads": 32,
  "num_hidden_layers": 32,
  "num_key_value_heads": 8,
  "rms_norm_eps": 1e-05,
  "rope_theta": 10000.0,
  "sliding_window": 4096,
  "tie_word_embeddings": false,
  "vocab_size": 32000
})";

const char* const kMixtral8x7b = R"({
  "architectures": ["MixtralForCausalLM"],
  "hidden_act": "silu",
  "hidden_size": 4096,
  "intermediate_size": 14336,
  "max_position_embeddings": 32768,
  "model_type": "mixtral",
  "num_attention_heads": 32,
  "num_experts_per_tok": 2,
  "num_hidden_layers": 32,
  "num_key_value_heads": 8,
  "num_local_experts": 8,
  "rms_norm_eps": 1e-05,
  "rope_theta": 1000000.0,
  "router_aux_loss_coef": 0.02,
  "sliding_window": null,
  "tie_word_embeddings": false,
  "vocab_size": 32000
})";

const char* const kQwen2Of72b = R"({
  "architectures": ["Qwen2ForCausalLM"],
  "hidden_act": "silu",
  "hidden_size": 8192,
  "initializer_range": 0.02,
  "intermediate_size": 29568,
  "max_position_embeddings": 131072,
  "max_window_layers": 80,
  "model_type": "qwen2",
  "num_attention_heads": 64,
  "num_hidden_layers": 80,
  "num_key_value_heads": 8,
  "rms_norm_eps": 1e-05,
  "rope_theta": 1000000.0,
  "sliding_window": 131072,
  "tie_word_embeddings": false,
  "use_sliding_window": false,
  "vocab_size": 152064
})";

const char* const kQwen3Of235b = R"({
  "architectures": ["Qwen3MoeForCausalLM"],
  "attention_bias": false,
  "decoder_sparse_step": 1,
  "head_dim": 128,
  "hidden_act": "silu",
  "hidden_size": 4096,
  "intermediate_size": 12288,
  "max_position_embeddings": 40960,
  "max_window_layers": 94,
  "mlp_only_layers": [],
  "model_type": "qwen3_moe",
  "moe_intermediate_size": 1536,
  "norm_topk_prob": true,
  "num_attention_heads": 64,
  "num_experts": 128,
  "num_experts_per_tok": 8,
  "num_hidden_layers": 94,
  "num_key_value_heads": 4,
  "rms_norm_eps": 1e-06,
  "rope_scaling": null,
  "rope_theta": 1000000.0,
  "sliding_window": null,
  "tie_word_embeddings": false,
  "use_sliding_window": false,
  "vocab_size": 151936
})";

const char* const kDeepseekV3 = R"({
  "architectures": ["DeepseekV3ForCausalLM"],
  "attention_bias": false,
  "first_k_dense_replace": 3,
  "hidden_act": "silu",
  "hidden_size": 7168,
  "intermediate_size": 18432,
  "kv_lora_rank": 512,
  "max_position_embeddings": 163840,
  "model_type": "deepseek_v3",
  "moe_intermediate_size": 2048,
  "moe_layer_freq": 1,
  "n_group": 8,
  "n_routed_experts": 256,
  "n_shared_experts": 1,
  "norm_topk_prob": true,
  "num_attention_heads": 128,
  "num_experts_per_tok": 8,
  "num_hidden_layers": 61,
  "num_key_value_heads": 128,
  "num_nextn_predict_layers": 1,
  "q_lora_rank": 1536,
  "qk_nope_head_dim": 128,
  "qk_rope_head_dim": 64,
  "quantization_config": {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8"},
  "rms_norm_eps": 1e-06,
  "rope_scaling": {"beta_fast": 32, "factor": 40, "type": "yarn"},
  "rope_theta": 10000,
  "routed_scaling_factor": 2.5,
  "scoring_func": "sigmoid",
  "tie_word_embeddings": false,
  "topk_group": 4,
  "topk_method": "noaux_tc",
  "v_head_dim": 128,
  "vocab_size": 129280
})";

}  // namespace

std::vector<PublishedConfig> published_configs() {
  return {
      // Black et al. 2022, arXiv 2204.06745, table 1: to the last one.
      {"gpt-neox-20b", kGptNeox20b, 20'554'567'680, 20'554'567'680, 0},
      // Zhang et al. 2022, arXiv 2205.01068: 65.7 billion in the released checkpoint's index; 175 in table 1.
      {"opt-66b", kOpt66b, 65.7e9, 65.7e9, 0.001},
      {"opt-175b", kOpt175b, 175e9, 175e9, 0.003},
      // Model card of bigscience/bloom: to the last one.
      {"bloom-176b", kBloom, 176'247'271'424, 176'247'271'424, 0},
      // Checkpoint of mistralai/Mistral-7B-v0.1: to the last one.
      {"mistral-7b", kMistral7b, 7'241'732'096, 7'241'732'096, 0},
      // Jiang et al. 2024, arXiv 2401.04088, section 1: 47 and 13 billion; announcement of Mixtral: 46.7
      // and 12.9.
      {"mixtral-8x7b", kMixtral8x7b, 46.7e9, 12.9e9, 0.002},
      // Yang et al. 2024, arXiv 2407.10671, table 1 (72 billion); checkpoint of Qwen/Qwen2-72B: 72.7.
      {"qwen2-72b", kQwen2Of72b, 72.7e9, 72.7e9, 0.001},
      // Yang et al. 2025, arXiv 2505.09388, section 2: 235 and 22 billion.
      {"qwen3-235b-a22b", kQwen3Of235b, 235e9, 22e9, 0.01},
      // DeepSeek-AI 2024, arXiv 2412.19437, section 4.2: 671 and 37 billion.
      {"deepseek-v3", kDeepseekV3, 671e9, 37e9, 0.02},
  };
}

std::string published_json(const std::string& name) {
  for (const PublishedConfig& config : published_configs()) {
    if (config.name == name) {
      return config.json;
    }
  }
  ADD_FAILURE() << "no " << name;
  return "";
}

}  // namespace portolan
