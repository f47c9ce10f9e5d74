#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "catalog/catalog_paths.h"
#include "catalog/vary_text.h"
#include "plan/prediction_error.h"
#include "plan/run_forecast.h"
#include "plan/scenario.h"

namespace portolan {

/// A what-if question: a scenario file, and keys of it that take several values each.
struct SweepQuestion {
  std::filesystem::path scenario;
  CatalogPaths paths;
  std::optional<std::filesystem::path> hardware_file;  ///< instead of the scenario's
  std::vector<VariedKey> varied;
  StrategyConstraints fixed;  ///< laid over what the scenario fixes
  std::string version;        ///< of the program that answers
};

/// One of all combinations of the values.
struct SweepPoint {
  std::vector<std::string> values;  ///< one for each varied key
  Scenario scenario;
  /// Of everything that the answer follows from: the resolved scenario, the values, errors of predictions,
  /// the version. 16 hexadecimal digits of a SHA-256.
  std::string hash;

  /// "num_gpus=64, precision=fp8"
  std::string name(const std::vector<VariedKey>& varied) const;
};

/// All points, the last key's values changing fastest, each read and checked. Errors (kBadInput): a key given
/// twice, more than 100,000 points, what read_scenario finds of any point.
Result<std::vector<SweepPoint>> read_sweep_points(const SweepQuestion& question,
                                                  const PredictionErrors& errors);

/// What planning came to at one point.
struct SweepAnswer {
  std::optional<Estimate> best;
  std::string reason;  ///< why there is none
  PredictionMargins margins;
  std::optional<RunForecast> training_run;
};

}  // namespace portolan
