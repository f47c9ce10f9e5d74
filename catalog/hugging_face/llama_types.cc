// llama, mistral, qwen2: RMS norms, SwiGLU, rotary positions.

#include <array>

#include "catalog/hugging_face/model_type.h"

namespace portolan::hugging_face {

namespace {

void read_llama(DocumentSection& section, TransformerConfig& config) {
  read_llama_keys(section, {}, config);
  require_flag(section, "mlp_bias", false);
}

void read_mistral(DocumentSection& section, TransformerConfig& config) {
  read_llama_keys(section, {.max_positions = 131072, .num_kv_heads = 8}, config);
  config.sliding_window = section.has("sliding_window") ? optional_size(section, "sliding_window")
                                                        : std::optional<std::int64_t>(4096);
}

void read_qwen2(DocumentSection& section, TransformerConfig& config) {
  read_llama_keys(section, {.max_positions = 32768, .num_kv_heads = 32}, config);
  config.qkv_bias = true;
  config.sliding_window = qwen_window(section, config);
}

}  // namespace

std::span<const ModelType> llama_types() {
  static const std::array kTypes{ModelType{"llama", &read_llama, llama_names()},
                                 ModelType{"mistral", &read_mistral, llama_names()},
                                 ModelType{"qwen2", &read_qwen2, llama_names()}};
  return kTypes;
}

}  // namespace portolan::hugging_face
