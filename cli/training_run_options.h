#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "plan/run_forecast.h"
#include "plan/scenario.h"

namespace CLI {
class App;
}

namespace portolan {

/// What a verb is told of a whole training run beside what the scenario says.
struct TrainingRunOptions {
  std::optional<std::string> tokens;
  std::optional<std::string> deadline;
};
void add_training_run_options(CLI::App& verb, TrainingRunOptions& options);

/// Puts the options into the scenario's training_run. Errors (kBadInput) name the option.
Result<void> set_training_run(Scenario& scenario, const TrainingRunOptions& options);

/// Of the estimate's strategy; nothing where the scenario states no tokens.
Result<std::optional<RunForecast>> forecast_if_asked(const Scenario& scenario, const Estimate& estimate,
                                                     const PredictionMargins& margins);

}  // namespace portolan
