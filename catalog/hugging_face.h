#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"
#include "model/transformer.h"

namespace portolan {

/// A model's config.json as published on the Hugging Face hub, with all its other keys, for the model types
/// gpt2, gpt_neox, opt, bloom, llama, mistral, qwen2, mixtral, qwen3_moe and deepseek_v3.
/// docs/scenario-files.md lists the keys of each that are read; defaults of absent ones are those of the
/// transformers library. A key that changes sizes is read; a value that cannot be modelled is refused.
///
/// num_nextn_predict_layers: layers that predict further tokens (DeepSeek-V3 is published with one, 14
/// billion parameters beside the 671 billion of its main model) are left out: the plan is that of the main
/// model. rope_scaling changes angles, and top-k groups and router losses change which experts are picked:
/// neither FLOPs, bytes nor memory, so they are ignored. quantization_config is refused unless its
/// quant_method is fp8: DeepSeek-V3 stores its weights so; precision in training is the scenario's.
///
/// The name is that of the file's folder (as a clone of a hub repository has it), or its model_type.
/// Errors (kBadInput), one line: FILE:LINE:COLUMN of a syntax error, FILE:LINE and key otherwise.
Result<TransformerConfig> read_hugging_face_config(const std::filesystem::path& path);
Result<TransformerConfig> read_hugging_face_text(std::string_view text, const std::filesystem::path& file);

}  // namespace portolan
