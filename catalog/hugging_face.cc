#include "catalog/hugging_face.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "catalog/document/json_parser.h"
#include "catalog/document/load.h"
#include "catalog/hugging_face/model_type.h"

namespace portolan {

namespace {

using hugging_face::FieldName;
using hugging_face::ModelType;

const std::vector<ModelType>& model_types() {
  static const std::vector<ModelType> kTypes = [] {
    std::vector<ModelType> types;
    for (const auto& some :
         {hugging_face::gpt_types(), hugging_face::llama_types(), hugging_face::expert_types()}) {
      types.insert(types.end(), some.begin(), some.end());
    }
    return types;
  }();
  return kTypes;
}

/// "gpt2, llama, ...".
std::string known_types() {
  std::vector<std::string_view> names;
  for (const ModelType& type : model_types()) {
    names.push_back(type.name);
  }
  return list_words(names);
}

/// Weights stored in 8-bit floating point are trained as any others (DeepSeek-V3 is published so); those
/// packed for inference are not trained.
void check_quantization(DocumentSection& section) {
  section.optional_value("quantization_config", [](const DocumentValue& value) {
    if (value.node().kind == DocumentNode::Kind::kNull) {
      return;
    }
    const DocumentEntry* method = find_entry(value.node(), "quant_method");
    if (method == nullptr || method->value.scalar != "fp8") {
      value.refuse(
          fmt::format("quant_method \"{}\" is not supported (allowed: fp8, or no quantization_config)",
                      method == nullptr ? "" : printable(method->value.scalar)));
    }
  });
}

void read_config(DocumentSection& section, const ModelType*& type, TransformerConfig& config) {
  section.allow_other_keys();
  std::string name;
  section.optional("model_type", name);
  if (name.empty()) {
    return;
  }
  const auto found = std::ranges::find(model_types(), name, &ModelType::name);
  if (found != model_types().end()) {
    type = &*found;
    type->read(section, config);
    check_quantization(section);
    return;
  }
  section.optional_value("model_type", [](const DocumentValue& value) {
    value.refuse_value(fmt::format("is not supported (allowed: {})", known_types()));
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
    return problem_at(root, "",
                      fmt::format("key \"model_type\" is missing or empty (allowed: {})", known_types()));
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
