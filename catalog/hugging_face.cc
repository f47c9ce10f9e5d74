#include "catalog/hugging_face.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string>

#include "catalog/document/json_parser.h"
#include "catalog/document/load.h"

namespace portolan {

namespace {

constexpr WholeRange kSize{1, std::int64_t{1} << 24};
constexpr std::array<std::string_view, 6> kGelus = {"gelu_new",          "gelu",          "gelu_fast",
                                                    "gelu_pytorch_tanh", "gelu_accurate", "gelu_10"};

/// Our fields by the names that the model type has for them: find_problem names ours, the file has theirs.
struct FieldName {
  std::string_view ours;
  std::string_view theirs;
};
constexpr std::array kGpt2Names{FieldName{"num_layers", "n_layer"},
                                FieldName{"hidden_size", "n_embd"},
                                FieldName{"num_heads", "n_head"},
                                FieldName{"num_kv_heads", "n_head"},
                                FieldName{"ffn_size", "n_inner"},
                                FieldName{"max_positions", "n_positions"},
                                FieldName{"norm_epsilon", "layer_norm_epsilon"},
                                FieldName{"initializer_std", "initializer_range"}};
constexpr std::array kLlamaNames{FieldName{"num_layers", "num_hidden_layers"},
                                 FieldName{"num_heads", "num_attention_heads"},
                                 FieldName{"num_kv_heads", "num_key_value_heads"},
                                 FieldName{"ffn_size", "intermediate_size"},
                                 FieldName{"max_positions", "max_position_embeddings"},
                                 FieldName{"norm_epsilon", "rms_norm_eps"},
                                 FieldName{"rotary_theta", "rope_theta"},
                                 FieldName{"initializer_std", "initializer_range"}};

template <typename Allowed>
void require_one_of(DocumentSection& section, std::string_view key, const Allowed& allowed) {
  section.optional_value(key, [&](const DocumentValue& value) {
    std::string word;
    if (value.read(word) && std::ranges::find(allowed, word) == std::ranges::end(allowed)) {
      value.refuse_value(fmt::format("is not supported (allowed: {})", list_words(allowed)));
    }
  });
}

void require_false(DocumentSection& section, std::string_view key) {
  section.optional_value(key, [&](const DocumentValue& value) {
    bool flag = false;
    if (value.read(flag) && flag) {
      value.refuse_value("is not supported (allowed: false)");
    }
  });
}

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
  require_one_of(section, "activation_function", kGelus);
  section.optional("layer_norm_epsilon", config.norm_epsilon);
  section.optional("initializer_range", config.initializer_std);
  section.optional("tie_word_embeddings", config.tied_embeddings);
}

void read_llama(DocumentSection& section, TransformerConfig& config) {
  config.normalization = Normalization::kRmsNorm;
  config.activation = Activation::kSwiGlu;
  config.position = PositionEncoding::kRotary;
  config.linear_bias = false;
  config.tied_embeddings = false;
  config.norm_epsilon = 1e-6;
  config.max_positions = 2048;
  section.required("num_hidden_layers", config.num_layers, kSize);
  section.required("hidden_size", config.hidden_size, kSize);
  section.required("num_attention_heads", config.num_heads, kSize);
  config.num_kv_heads = config.num_heads;
  section.optional("num_key_value_heads", config.num_kv_heads, kSize);
  section.required("intermediate_size", config.ffn_size, kSize);
  section.required("vocab_size", config.vocab_size, kSize);
  section.optional("max_position_embeddings", config.max_positions, kSize);
  section.optional("rms_norm_eps", config.norm_epsilon);
  section.optional("rope_theta", config.rotary_theta);
  section.optional("initializer_range", config.initializer_std);
  section.optional("tie_word_embeddings", config.tied_embeddings);
  require_one_of(section, "hidden_act", std::array<std::string_view, 1>{"silu"});
  require_false(section, "attention_bias");
  require_false(section, "mlp_bias");
  section.optional_value("head_dim", [&](const DocumentValue& value) {
    std::int64_t head_dim = 0;
    if (value.node().kind == DocumentNode::Kind::kNull || !value.read(head_dim, kSize) ||
        config.num_heads == 0) {
      return;
    }
    if (head_dim * config.num_heads != config.hidden_size) {
      value.refuse_value(
          fmt::format("is not supported (allowed: hidden_size / num_attention_heads = {} / {})",
                      config.hidden_size, config.num_heads));
    }
  });
}

/// A model type: how its keys are read, and what they are called.
struct ModelType {
  std::string_view name;
  void (*read)(DocumentSection&, TransformerConfig&);
  std::span<const FieldName> names;
};
const std::array kModelTypes{ModelType{"gpt2", &read_gpt2, kGpt2Names},
                             ModelType{"llama", &read_llama, kLlamaNames}};

void read_config(DocumentSection& section, const ModelType*& type, TransformerConfig& config) {
  section.allow_other_keys();
  std::string name;
  section.optional("model_type", name);
  if (name.empty()) {
    return;
  }
  const auto* found = std::ranges::find(kModelTypes, name, &ModelType::name);
  if (found != kModelTypes.end()) {
    type = found;
    type->read(section, config);
    return;
  }
  section.optional_value("model_type", [](const DocumentValue& value) {
    value.refuse_value("is not supported (allowed: gpt2, llama)");
  });
}

std::string_view their_name(const ModelType& type, std::string_view ours) {
  const auto found = std::ranges::find(type.names, ours, &FieldName::ours);
  return found == type.names.end() ? ours : found->theirs;
}

/// `message` with each of our names, which find_problem speaks in, as the file has it.
std::string in_their_names(const ModelType& type, std::string_view message) {
  std::string text;
  while (!message.empty()) {
    const std::size_t word = std::min(message.find_first_of(" ,:()"), message.size());
    text += their_name(type, message.substr(0, word));
    text += message.substr(word, 1);
    message.remove_prefix(std::min(word + 1, message.size()));
  }
  return text;
}

}  // namespace

Result<TransformerConfig> read_hugging_face_text(std::string_view text, const std::filesystem::path& file) {
  PORTOLAN_TRY(const DocumentNode root, parse_json(text, file.string(), Notation::kNumbers));
  TransformerConfig config;
  const ModelType* type = nullptr;
  PORTOLAN_CHECK_OK(
      read_document(root, [&](DocumentSection& section) { read_config(section, type, config); }));
  if (type == nullptr) {
    return problem_at(root, "", "key \"model_type\" is missing or empty (allowed: gpt2, llama)");
  }
  config.name = file.has_parent_path() ? file.parent_path().filename().string() : "";
  if (config.name.empty() || config.name == "." || config.name == "..") {
    config.name = type->name;
  }
  if (const auto problem = find_problem(config)) {
    return problem_at(root, their_name(*type, problem->key), in_their_names(*type, problem->message));
  }
  return config;
}

Result<TransformerConfig> read_hugging_face_config(const std::filesystem::path& path) {
  PORTOLAN_TRY(const std::string text, read_regular_file(path));
  return read_hugging_face_text(text, path);
}

}  // namespace portolan
