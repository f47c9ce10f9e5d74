// mixtral, qwen3_moe, deepseek_v3: LLaMA's layers with experts in place of the MLP.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "catalog/hugging_face/model_type.h"

namespace portolan::hugging_face {

namespace {

/// `own` behind the names of all types after LLaMA.
std::vector<FieldName> with_llama_names(std::initializer_list<FieldName> own) {
  std::vector<FieldName> names(llama_names().begin(), llama_names().end());
  names.insert(names.end(), own);
  return names;
}

void read_mixtral(DocumentSection& section, TransformerConfig& config) {
  read_llama_keys(section,
                  {.max_positions = 131072, .num_kv_heads = 8, .norm_epsilon = 1e-5, .rotary_theta = 1e6},
                  config);
  config.sliding_window = optional_size(section, "sliding_window");
  MixtureOfExperts& experts = config.experts.emplace();
  experts.num_experts = 8;
  experts.experts_per_token = 2;
  section.optional("num_local_experts", experts.num_experts, kSize);
  section.optional("num_experts_per_tok", experts.experts_per_token, kSize);
  experts.expert_ffn_size = config.ffn_size;
}

/// mlp_only_layers, dense whatever decoder_sparse_step says: none, or the first ones.
std::int64_t read_first_dense_layers(DocumentSection& section) {
  std::vector<std::int64_t> layers;
  section.optional_list("mlp_only_layers", [&](const DocumentValue& value) {
    std::int64_t layer = 0;
    if (value.read(layer, kCount)) {
      layers.push_back(layer);
    }
  });
  std::ranges::sort(layers);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i] != static_cast<std::int64_t>(i)) {
      section.optional_value("mlp_only_layers", [&](const DocumentValue& value) {
        value.refuse(fmt::format(
            "layer {} is not supported (allowed: the first layers, from 0 without a gap)", layers[i]));
      });
      break;
    }
  }
  return static_cast<std::int64_t>(layers.size());
}

void read_qwen3_moe(DocumentSection& section, TransformerConfig& config) {
  read_llama_keys(section, {.max_positions = 32768, .num_kv_heads = 4}, config);
  config.query_key_norm = true;
  config.sliding_window = qwen_window(section, config);
  MixtureOfExperts& experts = config.experts.emplace();
  experts.num_experts = 128;
  experts.experts_per_token = 8;
  section.optional("num_experts", experts.num_experts, kSize);
  section.optional("num_experts_per_tok", experts.experts_per_token, kSize);
  section.required("moe_intermediate_size", experts.expert_ffn_size, kSize);
  section.optional("decoder_sparse_step", experts.layer_period, kSize);
  experts.first_dense_layers = read_first_dense_layers(section);
}

void read_latent_attention(DocumentSection& section, LatentAttention& latent) {
  // Null: queries are projected directly.
  latent.q_lora_rank = section.has("q_lora_rank") ? optional_size(section, "q_lora_rank").value_or(0) : 1536;
  latent.kv_lora_rank = 512;
  latent.qk_nope_head_dim = 128;
  latent.qk_rope_head_dim = 64;
  latent.v_head_dim = 128;
  section.optional("kv_lora_rank", latent.kv_lora_rank, kSize);
  section.optional("qk_nope_head_dim", latent.qk_nope_head_dim, kSize);
  section.optional("qk_rope_head_dim", latent.qk_rope_head_dim, kSize);
  section.optional("v_head_dim", latent.v_head_dim, kSize);
}

void read_deepseek_v3(DocumentSection& section, TransformerConfig& config) {
  static constexpr std::array<std::string_view, 1> kNoAuxiliaryLoss = {"noaux_tc"};
  static constexpr std::array<std::string_view, 2> kScores = {"sigmoid", "softmax"};
  read_llama_keys(section, {.max_positions = 4096}, config);
  config.num_kv_heads =
      config.num_heads;  // every head has keys and values of its own behind the latent vector
  config.explicit_head_dim.reset();
  read_latent_attention(section, config.latent.emplace());
  MixtureOfExperts& experts = config.experts.emplace();
  std::int64_t num_shared = 1;
  experts.num_experts = 256;
  experts.experts_per_token = 8;
  experts.first_dense_layers = 3;
  experts.router_bias = true;
  section.optional("n_routed_experts", experts.num_experts, kSize);
  section.optional("num_experts_per_tok", experts.experts_per_token, kSize);
  section.required("moe_intermediate_size", experts.expert_ffn_size, kSize);
  section.optional("n_shared_experts", num_shared, WholeRange{0, 1024});
  section.optional("first_k_dense_replace", experts.first_dense_layers, kCount);
  experts.shared_ffn_size = num_shared * experts.expert_ffn_size;
  require_number(section, "moe_layer_freq", 1);
  require_one_of(section, "topk_method", kNoAuxiliaryLoss);
  require_one_of(section, "scoring_func", kScores);
}

}  // namespace

std::span<const ModelType> expert_types() {
  static const auto kMixtral = with_llama_names({{"experts.num_experts", "num_local_experts"},
                                                 {"experts.experts_per_token", "num_experts_per_tok"},
                                                 {"experts.expert_ffn_size", "intermediate_size"}});
  static const auto kQwen3 = with_llama_names({{"experts.num_experts", "num_experts"},
                                               {"experts.experts_per_token", "num_experts_per_tok"},
                                               {"experts.expert_ffn_size", "moe_intermediate_size"},
                                               {"experts.first_dense_layers", "mlp_only_layers"},
                                               {"experts.layer_period", "decoder_sparse_step"}});
  static const auto kDeepseek = with_llama_names({{"experts.num_experts", "n_routed_experts"},
                                                  {"experts.experts_per_token", "num_experts_per_tok"},
                                                  {"experts.expert_ffn_size", "moe_intermediate_size"},
                                                  {"experts.shared_ffn_size", "n_shared_experts"},
                                                  {"experts.first_dense_layers", "first_k_dense_replace"},
                                                  {"latent_attention.q_lora_rank", "q_lora_rank"},
                                                  {"latent_attention.kv_lora_rank", "kv_lora_rank"},
                                                  {"latent_attention.qk_nope_head_dim", "qk_nope_head_dim"},
                                                  {"latent_attention.qk_rope_head_dim", "qk_rope_head_dim"},
                                                  {"latent_attention.v_head_dim", "v_head_dim"}});
  static const std::array kTypes{ModelType{"mixtral", &read_mixtral, kMixtral},
                                 ModelType{"qwen3_moe", &read_qwen3_moe, kQwen3},
                                 ModelType{"deepseek_v3", &read_deepseek_v3, kDeepseek}};
  return kTypes;
}

}  // namespace portolan::hugging_face
