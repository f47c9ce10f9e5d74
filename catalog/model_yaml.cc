#include "catalog/model_yaml.h"

#include <optional>

#include "catalog/document/load.h"
#include "catalog/document/section.h"
#include "catalog/document/yaml_parser.h"
#include "catalog/json/notated.h"

namespace portolan {

namespace {

constexpr WholeRange kModelSize{1, std::int64_t{1} << 24};

void optional_size(DocumentSection& section, std::string_view key, std::optional<std::int64_t>& target) {
  std::int64_t size = 0;
  if (section.optional(key, size, kModelSize)) {
    target = size;
  }
}

void read_experts(DocumentSection& section, MixtureOfExperts& experts) {
  const WholeRange count{0, kModelSize.most};
  section.required("num_experts", experts.num_experts, kModelSize);
  section.required("experts_per_token", experts.experts_per_token, kModelSize);
  section.required("expert_ffn_size", experts.expert_ffn_size, kModelSize);   // of one expert
  section.optional("shared_ffn_size", experts.shared_ffn_size, count);        // default 0: none
  section.optional("first_dense_layers", experts.first_dense_layers, count);  // default 0
  section.optional("layer_period", experts.layer_period, kModelSize);         // default 1: every layer
  double capacity_factor = 0;
  if (section.optional("capacity_factor", capacity_factor)) {  // default: dropless
    experts.capacity_factor = capacity_factor;
  }
  section.optional("router_bias", experts.router_bias);  // default false
}

JsonValue to_json(const MixtureOfExperts& experts) {
  NotatedObject object(Notation::kNumbers);
  object.set("num_experts", experts.num_experts)
      .set("experts_per_token", experts.experts_per_token)
      .set("expert_ffn_size", experts.expert_ffn_size)
      .set("shared_ffn_size", experts.shared_ffn_size)
      .set("first_dense_layers", experts.first_dense_layers)
      .set("layer_period", experts.layer_period);
  if (experts.capacity_factor) {
    object.set("capacity_factor", *experts.capacity_factor);
  }
  return object.set("router_bias", experts.router_bias).take();
}

void read_latent_attention(DocumentSection& section, LatentAttention& latent) {
  section.optional("q_lora_rank", latent.q_lora_rank, WholeRange{0, kModelSize.most});  // default 0: direct
  section.required("kv_lora_rank", latent.kv_lora_rank, kModelSize);
  section.required("qk_nope_head_dim", latent.qk_nope_head_dim, kModelSize);
  section.required("qk_rope_head_dim", latent.qk_rope_head_dim, kModelSize);
  section.required("v_head_dim", latent.v_head_dim, kModelSize);
}

JsonValue to_json(const LatentAttention& latent) {
  return NotatedObject(Notation::kNumbers)
      .set("q_lora_rank", latent.q_lora_rank)
      .set("kv_lora_rank", latent.kv_lora_rank)
      .set("qk_nope_head_dim", latent.qk_nope_head_dim)
      .set("qk_rope_head_dim", latent.qk_rope_head_dim)
      .set("v_head_dim", latent.v_head_dim)
      .take();
}

void read_config(DocumentSection& section, TransformerConfig& config) {
  if (config.name.empty()) {
    section.required("name", config.name);
  } else {
    section.optional("name", config.name);
  }
  section.required("num_layers", config.num_layers, kModelSize);
  section.required("hidden_size", config.hidden_size, kModelSize);
  section.required("num_heads", config.num_heads, kModelSize);
  config.num_kv_heads = config.num_heads;
  section.optional("num_kv_heads", config.num_kv_heads, kModelSize);  // default num_heads: no grouped queries
  optional_size(section, "head_dim", config.explicit_head_dim);       // default hidden_size / num_heads
  section.optional("activation", config.activation);                  // default gelu
  if (config.activation != Activation::kSwiGlu) {
    config.ffn_size = 4 * config.hidden_size;
    section.optional("ffn_size", config.ffn_size, kModelSize);  // default 4 hidden_size with gelu and relu
  } else {
    section.required("ffn_size", config.ffn_size, kModelSize);  // SwiGLU's two halves are each this wide
  }
  section.required("vocab_size", config.vocab_size, kModelSize);        // before padding
  section.required("max_positions", config.max_positions, kModelSize);  // longest sequence
  section.optional("normalization", config.normalization);              // default layer_norm
  section.optional("position", config.position);                        // default learned
  optional_size(section, "rotary_dim", config.rotary_dim);              // default: whole heads
  section.optional("position_offset", config.position_offset, WholeRange{0, kModelSize.most});  // default 0
  optional_size(section, "sliding_window", config.sliding_window);   // default: none
  section.optional("linear_bias", config.linear_bias);               // default true
  section.optional("qkv_bias", config.qkv_bias);                     // default false
  section.optional("query_key_norm", config.query_key_norm);         // default false
  section.optional("embedding_norm", config.embedding_norm);         // default false
  section.optional("parallel_residual", config.parallel_residual);   // default false
  section.optional_section("experts", [&](DocumentSection& inner) {  // default: none
    read_experts(inner, config.experts.emplace());
  });
  section.optional_section("latent_attention", [&](DocumentSection& inner) {  // default: none
    read_latent_attention(inner, config.latent.emplace());
  });
  section.optional("tied_embeddings", config.tied_embeddings);  // default true
  section.optional("norm_epsilon", config.norm_epsilon);        // default 1e-5
  section.optional("rotary_theta", config.rotary_theta);        // default 10000
  section.optional("initializer_std", config.initializer_std);  // default 0.02
}

}  // namespace

JsonValue to_json(const TransformerConfig& config) {
  NotatedObject object(Notation::kNumbers);
  const auto set_if_there = [&](std::string_view key, const auto& value) {
    if (value) {
      object.set(key, *value);
    }
  };
  object.set("name", config.name)
      .set("num_layers", config.num_layers)
      .set("hidden_size", config.hidden_size)
      .set("num_heads", config.num_heads)
      .set("num_kv_heads", config.num_kv_heads);
  set_if_there("head_dim", config.explicit_head_dim);
  object.set("ffn_size", config.ffn_size)
      .set("vocab_size", config.vocab_size)
      .set("max_positions", config.max_positions)
      .set("normalization", config.normalization)
      .set("activation", config.activation)
      .set("position", config.position);
  set_if_there("rotary_dim", config.rotary_dim);
  object.set("position_offset", config.position_offset);
  set_if_there("sliding_window", config.sliding_window);
  object.set("linear_bias", config.linear_bias)
      .set("qkv_bias", config.qkv_bias)
      .set("query_key_norm", config.query_key_norm)
      .set("embedding_norm", config.embedding_norm)
      .set("parallel_residual", config.parallel_residual);
  if (config.experts) {
    object.set_json("experts", to_json(*config.experts));
  }
  if (config.latent) {
    object.set_json("latent_attention", to_json(*config.latent));
  }
  return object.set("tied_embeddings", config.tied_embeddings)
      .set("norm_epsilon", config.norm_epsilon)
      .set("rotary_theta", config.rotary_theta)
      .set("initializer_std", config.initializer_std)
      .take();
}

Result<TransformerConfig> model_from(const DocumentNode& root, std::string_view default_name) {
  TransformerConfig config;
  config.name = default_name;
  PORTOLAN_CHECK_OK(read_document(root, [&](DocumentSection& section) { read_config(section, config); }));
  if (const auto problem = find_problem(config)) {
    return problem_at(root, problem->key, problem->message);
  }
  return config;
}

Result<TransformerConfig> read_model_text(std::string_view text, std::string_view file) {
  PORTOLAN_TRY(const DocumentNode root, parse_yaml(text, file));
  return model_from(root);
}

Result<TransformerConfig> read_model(const std::filesystem::path& path) {
  PORTOLAN_TRY(const std::string text, read_regular_file(path));
  return read_model_text(text, path.string());
}

std::string write_model(const TransformerConfig& config) { return write_yaml(to_json(config)); }

}  // namespace portolan
