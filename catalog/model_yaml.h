#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "catalog/document/node.h"
#include "catalog/json/json_value.h"
#include "model/transformer.h"

namespace portolan {

/// A model file (docs/scenario-files.md lists its keys). Errors (kBadInput), one line: as for hardware files;
/// what find_problem(config) finds, at the line of its key.
Result<TransformerConfig> read_model(const std::filesystem::path& path);
Result<TransformerConfig> read_model_text(std::string_view text, std::string_view file);
/// YAML that read_model_text reads back to an equal value.
std::string write_model(const TransformerConfig& config);

/// `default_name`: of a model that gives none; empty: the key is required.
Result<TransformerConfig> model_from(const DocumentNode& root, std::string_view default_name = "");
JsonValue to_json(const TransformerConfig& config);

}  // namespace portolan
