#include "catalog/hugging_face/model_type.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

namespace portolan::hugging_face {

namespace {

constexpr std::array<std::string_view, 6> kGelus = {"gelu_new",          "gelu",          "gelu_fast",
                                                    "gelu_pytorch_tanh", "gelu_accurate", "gelu_10"};
constexpr std::array<std::string_view, 1> kSilu = {"silu"};
constexpr std::array kLlamaNames{FieldName{"num_layers", "num_hidden_layers"},
                                 FieldName{"num_heads", "num_attention_heads"},
                                 FieldName{"num_kv_heads", "num_key_value_heads"},
                                 FieldName{"ffn_size", "intermediate_size"},
                                 FieldName{"max_positions", "max_position_embeddings"},
                                 FieldName{"norm_epsilon", "rms_norm_eps"},
                                 FieldName{"rotary_theta", "rope_theta"},
                                 FieldName{"initializer_std", "initializer_range"}};

bool is_null(const DocumentValue& value) { return value.node().kind == DocumentNode::Kind::kNull; }

}  // namespace

void require_one_of(DocumentSection& section, std::string_view key,
                    std::span<const std::string_view> allowed) {
  section.optional_value(key, [&](const DocumentValue& value) {
    std::string word;
    if (value.read(word) && std::ranges::find(allowed, word) == allowed.end()) {
      value.refuse_value(fmt::format("is not supported (allowed: {})", list_words(allowed)));
    }
  });
}

void require_flag(DocumentSection& section, std::string_view key, bool needed) {
  section.optional_value(key, [&](const DocumentValue& value) {
    bool flag = false;
    if (value.read(flag) && flag != needed) {
      value.refuse_value(fmt::format("is not supported (allowed: {})", needed));
    }
  });
}

void require_number(DocumentSection& section, std::string_view key, std::int64_t needed) {
  section.optional_value(key, [&](const DocumentValue& value) {
    std::int64_t number = 0;
    if (!is_null(value) && value.read(number) && number != needed) {
      value.refuse_value(fmt::format("is not supported (allowed: {})", needed));
    }
  });
}

std::optional<std::int64_t> optional_size(DocumentSection& section, std::string_view key, WholeRange range) {
  std::int64_t size = 0;
  return section.optional(key, size, range) ? std::optional(size) : std::nullopt;
}

std::optional<std::int64_t> qwen_window(DocumentSection& section, const TransformerConfig& config) {
  bool window = false;
  std::int64_t first_layer = 28;
  section.optional("use_sliding_window", window);
  section.optional("max_window_layers", first_layer, kCount);
  if (!window || first_layer >= config.num_layers) {
    return std::nullopt;
  }
  if (first_layer > 0) {
    const std::string allowed = fmt::format(
        "is not supported with use_sliding_window (allowed: 0, or {} and above)", config.num_layers);
    section.optional_value("max_window_layers",
                           [&](const DocumentValue& value) { value.refuse_value(allowed); });
  }
  return optional_size(section, "sliding_window").value_or(4096);
}

std::span<const std::string_view> gelus() { return kGelus; }

void read_llama_keys(DocumentSection& section, const LlamaDefaults& defaults, TransformerConfig& config) {
  config.normalization = Normalization::kRmsNorm;
  config.activation = Activation::kSwiGlu;
  config.position = PositionEncoding::kRotary;
  config.linear_bias = false;
  config.tied_embeddings = false;
  config.norm_epsilon = defaults.norm_epsilon;
  config.rotary_theta = defaults.rotary_theta;
  config.max_positions = defaults.max_positions;
  section.required("num_hidden_layers", config.num_layers, kSize);
  section.required("hidden_size", config.hidden_size, kSize);
  section.required("num_attention_heads", config.num_heads, kSize);
  config.num_kv_heads = config.num_heads;
  if (section.has("num_key_value_heads")) {
    section.optional("num_key_value_heads", config.num_kv_heads, kSize);
  } else if (defaults.num_kv_heads) {
    config.num_kv_heads = *defaults.num_kv_heads;
  }
  // Written out by some files where it is what it would be anyway.
  config.explicit_head_dim = optional_size(section, "head_dim");
  if (config.explicit_head_dim && config.num_heads > 0 &&
      *config.explicit_head_dim * config.num_heads == config.hidden_size) {
    config.explicit_head_dim.reset();
  }
  section.required("intermediate_size", config.ffn_size, kSize);
  section.required("vocab_size", config.vocab_size, kSize);
  section.optional("max_position_embeddings", config.max_positions, kSize);
  section.optional("rms_norm_eps", config.norm_epsilon);
  section.optional("rope_theta", config.rotary_theta);
  section.optional("initializer_range", config.initializer_std);
  section.optional("tie_word_embeddings", config.tied_embeddings);
  require_one_of(section, "hidden_act", kSilu);
  require_flag(section, "attention_bias", false);
}

std::span<const FieldName> llama_names() { return kLlamaNames; }

}  // namespace portolan::hugging_face
