#include "cli/training_run_options.h"

#include <CLI/CLI.hpp>

#include "catalog/training_run_yaml.h"

namespace portolan {

void add_training_run_options(CLI::App& verb, TrainingRunOptions& options) {
  verb.add_option("--tokens", options.tokens,
                  "Tokens to train on, such as 300e9: says how long the whole run takes, and what it costs "
                  "(failures and checkpoints: training_run of the scenario)")
      ->type_name("N");
  verb.add_option("--deadline", options.deadline,
                  "Time that the run has, such as 90d, or the day by which it must be done")
      ->type_name("TIME|DATE");
}

Result<void> set_training_run(Scenario& scenario, const TrainingRunOptions& options) {
  if (options.tokens) {
    const Result<std::int64_t> tokens = parse_tokens(*options.tokens);
    if (!tokens) {
      return bad_input("--tokens: " + tokens.error().message);
    }
    TrainingRun run = scenario.training_run.value_or(TrainingRun());
    run.tokens = *tokens;
    scenario.training_run = run;
  }
  if (options.deadline) {
    if (!scenario.training_run) {
      return bad_input(
          "--deadline: without tokens to train on (needed: --tokens, or the scenario's training_run)");
    }
    const Result<Seconds> deadline = parse_deadline(*options.deadline, scenario.training_run->start);
    if (!deadline) {
      return bad_input("--deadline: " + deadline.error().message);
    }
    scenario.training_run->deadline = *deadline;
  }
  return {};
}

Result<std::optional<RunForecast>> forecast_if_asked(const Scenario& scenario, const Estimate& estimate,
                                                     const PredictionMargins& margins) {
  if (!scenario.training_run) {
    return std::optional<RunForecast>();
  }
  PORTOLAN_TRY(const RunForecast forecast, forecast_run(scenario, estimate, margins.step_time));
  return std::optional<RunForecast>(forecast);
}

}  // namespace portolan
