#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "catalog/catalog_paths.h"
#include "plan/prediction_error.h"

namespace portolan {

/// A table of prediction errors (docs/published-steps.md), as `portolan validate --errors-out` writes it.
/// Errors (kBadInput), one line: as for hardware files; a list that is not ascending.
Result<PredictionErrors> read_prediction_errors(const std::filesystem::path& path);
Result<PredictionErrors> read_prediction_errors_text(std::string_view text, std::string_view file);
/// YAML that read_prediction_errors_text reads back to an equal value.
std::string write_prediction_errors(const PredictionErrors& errors);

/// errors/published.yaml of the first folder that has it; none: no errors, and predictions without intervals.
Result<PredictionErrors> find_prediction_errors(const CatalogPaths& paths);

}  // namespace portolan
