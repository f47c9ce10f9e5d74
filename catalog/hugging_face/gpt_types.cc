// gpt2, gpt_neox, opt, bloom: layer norms, biases, an MLP of two products.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "catalog/hugging_face/model_type.h"

namespace portolan::hugging_face {

namespace {

constexpr std::array kGpt2Names{FieldName{"num_layers", "n_layer"},
                                FieldName{"hidden_size", "n_embd"},
                                FieldName{"num_heads", "n_head"},
                                FieldName{"num_kv_heads", "n_head"},
                                FieldName{"ffn_size", "n_inner"},
                                FieldName{"max_positions", "n_positions"},
                                FieldName{"norm_epsilon", "layer_norm_epsilon"},
                                FieldName{"initializer_std", "initializer_range"}};
constexpr std::array kGptNeoxNames{
    FieldName{"num_layers", "num_hidden_layers"},          FieldName{"num_heads", "num_attention_heads"},
    FieldName{"num_kv_heads", "num_attention_heads"},      FieldName{"ffn_size", "intermediate_size"},
    FieldName{"max_positions", "max_position_embeddings"}, FieldName{"rotary_dim", "rotary_pct"},
    FieldName{"norm_epsilon", "layer_norm_eps"},           FieldName{"rotary_theta", "rotary_emb_base"},
    FieldName{"initializer_std", "initializer_range"}};
constexpr std::array kOptNames{
    FieldName{"num_layers", "num_hidden_layers"},          FieldName{"num_heads", "num_attention_heads"},
    FieldName{"num_kv_heads", "num_attention_heads"},      FieldName{"ffn_size", "ffn_dim"},
    FieldName{"max_positions", "max_position_embeddings"}, FieldName{"initializer_std", "init_std"}};
constexpr std::array kBloomNames{FieldName{"num_layers", "n_layer"},
                                 FieldName{"hidden_size", "n_embed"},
                                 FieldName{"num_heads", "n_head"},
                                 FieldName{"num_kv_heads", "n_head"},
                                 FieldName{"max_positions", "seq_length"},
                                 FieldName{"norm_epsilon", "layer_norm_epsilon"},
                                 FieldName{"initializer_std", "initializer_range"}};

void read_gpt2(DocumentSection& section, TransformerConfig& config) {
  section.required("n_layer", config.num_layers, kSize);
  section.required("n_embd", config.hidden_size, kSize);
  section.required("n_head", config.num_heads, kSize);
  config.num_kv_heads = config.num_heads;
  config.ffn_size = 4 * config.hidden_size;
  section.optional("n_inner", config.ffn_size, kSize);
  section.required("vocab_size", config.vocab_size, kSize);
  if (section.has("n_positions") || !section.has("n_ctx")) {
    section.required("n_positions", config.max_positions, kSize);
  } else {
    section.required("n_ctx", config.max_positions, kSize);
  }
  require_one_of(section, "activation_function", gelus());
  section.optional("layer_norm_epsilon", config.norm_epsilon);
  section.optional("initializer_range", config.initializer_std);
  section.optional("tie_word_embeddings", config.tied_embeddings);
}

void read_gpt_neox(DocumentSection& section, TransformerConfig& config) {
  config.position = PositionEncoding::kRotary;
  config.parallel_residual = true;
  config.tied_embeddings = false;
  config.max_positions = 2048;
  section.required("num_hidden_layers", config.num_layers, kSize);
  section.required("hidden_size", config.hidden_size, kSize);
  section.required("num_attention_heads", config.num_heads, kSize);
  config.num_kv_heads = config.num_heads;
  section.required("intermediate_size", config.ffn_size, kSize);
  section.required("vocab_size", config.vocab_size, kSize);
  section.optional("max_position_embeddings", config.max_positions, kSize);
  section.optional("use_parallel_residual", config.parallel_residual);
  double rotary_share = 0.25;
  section.optional("rotary_pct", rotary_share, NumberRange{0, 1});
  if (config.num_heads > 0) {
    const std::int64_t head_dim = config.hidden_size / config.num_heads;
    const auto turned = static_cast<std::int64_t>(static_cast<double>(head_dim) * rotary_share);
    config.rotary_dim = turned == head_dim ? std::nullopt : std::optional(turned);
  }
  section.optional("rotary_emb_base", config.rotary_theta);
  section.optional("rope_theta", config.rotary_theta);
  section.optional("layer_norm_eps", config.norm_epsilon);
  section.optional("initializer_range", config.initializer_std);
  section.optional("tie_word_embeddings", config.tied_embeddings);
  require_one_of(section, "hidden_act", gelus());
  require_flag(section, "attention_bias", true);
}

void read_opt_activation(DocumentSection& section, TransformerConfig& config) {
  config.activation = Activation::kRelu;
  section.optional_value("activation_function", [&](const DocumentValue& value) {
    std::string word;
    if (!value.read(word) || word == "relu") {
      return;
    }
    const auto known = gelus();
    if (std::ranges::find(known, word) == known.end()) {
      value.refuse_value(fmt::format("is not supported (allowed: relu, {})", list_words(known)));
    }
    config.activation = Activation::kGelu;
  });
}

void read_opt(DocumentSection& section, TransformerConfig& config) {
  config.position_offset = 2;  // OPTLearnedPositionalEmbedding: rows of the padding token and before
  config.max_positions = 2048;
  section.required("num_hidden_layers", config.num_layers, kSize);
  section.required("hidden_size", config.hidden_size, kSize);
  section.required("num_attention_heads", config.num_heads, kSize);
  config.num_kv_heads = config.num_heads;
  section.required("ffn_dim", config.ffn_size, kSize);
  section.required("vocab_size", config.vocab_size, kSize);
  section.optional("max_position_embeddings", config.max_positions, kSize);
  section.optional("enable_bias", config.linear_bias);
  section.optional("init_std", config.initializer_std);
  section.optional("tie_word_embeddings", config.tied_embeddings);
  read_opt_activation(section, config);
  require_number(section, "word_embed_proj_dim", config.hidden_size);
  require_flag(section, "do_layer_norm_before", true);
  require_flag(section, "layer_norm_elementwise_affine", true);
  require_flag(section, "_remove_final_layer_norm", false);
}

/// A key that later files call otherwise; the older name goes before.
void required_under(DocumentSection& section, std::string_view older, std::string_view newer,
                    std::int64_t& target) {
  section.required(section.has(older) || !section.has(newer) ? older : newer, target, kSize);
}

void read_bloom(DocumentSection& section, TransformerConfig& config) {
  config.position = PositionEncoding::kAlibi;
  config.embedding_norm = true;
  config.max_positions = 2048;
  required_under(section, "n_layer", "num_hidden_layers", config.num_layers);
  required_under(section, "n_embed", "hidden_size", config.hidden_size);
  required_under(section, "n_head", "num_attention_heads", config.num_heads);
  config.num_kv_heads = config.num_heads;
  config.ffn_size = 4 * config.hidden_size;  // n_inner, where it is there, is not used
  section.required("vocab_size", config.vocab_size, kSize);
  section.optional("seq_length", config.max_positions, kSize);
  section.optional("layer_norm_epsilon", config.norm_epsilon);
  section.optional("initializer_range", config.initializer_std);
  section.optional("tie_word_embeddings", config.tied_embeddings);
  require_flag(section, "apply_residual_connection_post_layernorm", false);
}

constexpr std::array kTypes{
    ModelType{"gpt2", &read_gpt2, kGpt2Names}, ModelType{"gpt_neox", &read_gpt_neox, kGptNeoxNames},
    ModelType{"opt", &read_opt, kOptNames}, ModelType{"bloom", &read_bloom, kBloomNames}};

}  // namespace

std::span<const ModelType> gpt_types() { return kTypes; }

}  // namespace portolan::hugging_face
