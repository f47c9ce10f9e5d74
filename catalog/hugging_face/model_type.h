#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "catalog/document/section.h"
#include "model/transformer.h"

namespace portolan::hugging_face {

/// Our fields by the names that a model type has for them: find_problem names ours, the file has theirs.
struct FieldName {
  std::string_view ours;
  std::string_view theirs;
};

/// A value of model_type: how its keys are read, and what they are called.
struct ModelType {
  std::string_view name;
  void (*read)(DocumentSection&, TransformerConfig&);
  std::span<const FieldName> names;
};

/// In gpt_types.cc: gpt2, gpt_neox, opt, bloom.
std::span<const ModelType> gpt_types();
/// In llama_types.cc: llama, mistral, qwen2.
std::span<const ModelType> llama_types();
/// In expert_types.cc: mixtral, qwen3_moe, deepseek_v3.
std::span<const ModelType> expert_types();

// Keys that several types share. Defaults are those of the transformers library, which leaves them out of
// what it writes.

inline constexpr WholeRange kSize{1, std::int64_t{1} << 24};
inline constexpr WholeRange kCount{0, std::int64_t{1} << 24};

/// A word that must be one of `allowed`, if it is there.
void require_one_of(DocumentSection& section, std::string_view key,
                    std::span<const std::string_view> allowed);
/// A flag that must be `needed`, if it is there.
void require_flag(DocumentSection& section, std::string_view key, bool needed);
/// A number that must be `needed`, if it is there and not null.
void require_number(DocumentSection& section, std::string_view key, std::int64_t needed);
/// Null or absent: none.
std::optional<std::int64_t> optional_size(DocumentSection& section, std::string_view key,
                                          WholeRange range = kSize);
/// The sliding window of Qwen's types, whose layers have it from `max_window_layers` on: refused where only
/// some have. Precondition: config.num_layers is read.
std::optional<std::int64_t> qwen_window(DocumentSection& section, const TransformerConfig& config);
/// The GELUs, which cost alike.
std::span<const std::string_view> gelus();

/// What types after LLaMA have in common: RMS norms, SwiGLU, rotary positions, no biases, their names.
struct LlamaDefaults {
  std::int64_t max_positions = 2048;
  std::optional<std::int64_t> num_kv_heads = {};  ///< none: as many as heads
  double norm_epsilon = 1e-6;
  double rotary_theta = 10000;
};
void read_llama_keys(DocumentSection& section, const LlamaDefaults& defaults, TransformerConfig& config);
std::span<const FieldName> llama_names();

}  // namespace portolan::hugging_face
