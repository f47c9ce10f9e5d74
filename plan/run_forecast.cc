#include "plan/run_forecast.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/parse_quantity.h"
#include "plan/run_time.h"

namespace portolan {

namespace {

constexpr double kNormal95 = 1.6448536269514722;  ///< nine of ten lie within so many deviations
constexpr double kMostTimes = 1000;               ///< expected time over work from which on a run is hopeless

std::int64_t whole_ratio_up(std::int64_t value, std::int64_t unit) { return (value + unit - 1) / unit; }

Interruptions interruptions_of(const Scenario& scenario) {
  const TrainingRun& run = *scenario.training_run;
  Interruptions interruptions{.mtbf = {}, .restart = run.restart_time.value_or(Seconds())};
  if (run.gpu_mtbf) {
    interruptions.mtbf = run.gpu_mtbf->value / static_cast<double>(scenario.num_gpus);
  } else if (run.node_mtbf) {
    interruptions.mtbf = run.node_mtbf->value / static_cast<double>(whole_ratio_up(
                                                    scenario.num_gpus, scenario.hardware.gpus_per_node));
  }
  return interruptions;
}

std::optional<CheckpointPlan> checkpoints_of(const Scenario& scenario, Seconds step, Seconds mtbf) {
  const TrainingRun& run = *scenario.training_run;
  CheckpointPlan plan;
  if (run.checkpoint_time) {
    plan.time = *run.checkpoint_time;
  } else if (run.checkpoint_bandwidth) {
    plan.size = checkpoint_size(scenario);
    plan.time = plan.size / *run.checkpoint_bandwidth;
  } else {
    return std::nullopt;
  }
  if (!run.checkpoint_interval && mtbf.value <= 0) {
    return std::nullopt;
  }
  plan.is_optimum = !run.checkpoint_interval;
  const Seconds wanted =
      plan.is_optimum ? optimum_checkpoint_interval(plan.time, mtbf) : *run.checkpoint_interval;
  plan.steps = std::max<std::int64_t>(1, std::llround(std::min(wanted / step, 1e15)));
  plan.interval = step * static_cast<double>(plan.steps);
  return plan;
}

/// W, of the building, on the average of the expected time; nothing where the device's is unknown.
std::optional<Watts> mean_power(const Scenario& scenario, const Estimate& estimate,
                                const ExpectedTime& expected) {
  if (estimate.energy.value <= 0) {
    return std::nullopt;
  }
  const double working = estimate.energy.value / estimate.step_time.value;
  const double waiting =
      scenario.hardware.device.power_idle.value.value * static_cast<double>(scenario.num_gpus);
  const double waits = (expected.checkpoints + expected.restarts) / expected.total();
  return Watts((working * (1 - waits) + waiting * waits) * scenario.training_run->power_usage_effectiveness);
}

Likely scaled(const Likely& time, double rate) { return {time.p50 * rate, time.p90 * rate}; }

}  // namespace

Bytes checkpoint_size(const Scenario& scenario) {
  const std::int64_t width = scenario.precision == Precision::kFp32 || scenario.precision == Precision::kTf32
                                 ? 4
                                 : 2;  // fp8 is of products alone
  return Bytes(num_parameters(scenario.model) *
               (width + scenario.software.optimizer_bytes_per_parameter.value));
}

Result<RunForecast> forecast_run(const Scenario& scenario, const Estimate& estimate,
                                 const std::optional<ErrorMargin>& margin) {
  const TrainingRun& run = *scenario.training_run;
  const Interruptions interruptions = interruptions_of(scenario);
  RunForecast forecast;
  forecast.num_gpus = scenario.num_gpus;
  forecast.num_steps = whole_ratio_up(run.tokens, scenario.global_batch * scenario.sequence_length);
  forecast.mtbf = interruptions.mtbf;
  forecast.checkpoints = checkpoints_of(scenario, estimate.step_time, interruptions.mtbf);
  CheckpointedWork work{.work = estimate.step_time * static_cast<double>(forecast.num_steps)};
  if (forecast.checkpoints) {
    work.num_checkpoints = whole_ratio_up(forecast.num_steps, forecast.checkpoints->steps);
    work.checkpoint = forecast.checkpoints->time;
  }
  forecast.expected = expected_time(work, interruptions);
  if (!(forecast.expected.total() / work.work < kMostTimes)) {
    return infeasible(
        fmt::format("training_run: with a failure every {} and checkpoints of {} every {} a run takes over "
                    "{:.0f} times its "
                    "steps (needed: fewer failures, faster checkpoints or restarts)",
                    format_seconds(interruptions.mtbf), format_seconds(work.checkpoint),
                    format_seconds(forecast.checkpoints->interval), kMostTimes));
  }
  forecast.goodput_pct = 100 * (forecast.expected.work / forecast.expected.total());
  const RunTime time(work, interruptions, margin ? margin->half_width / kNormal95 : 0);
  forecast.time_s = {time.quantile(0.5).value, time.quantile(0.9).value};
  if (run.deadline) {
    forecast.deadline_probability_pct = 100 * time.probability_within(*run.deadline);
  }
  if (const std::optional<Watts> power = mean_power(scenario, estimate, forecast.expected)) {
    forecast.energy_j = scaled(forecast.time_s, power->value);
  }
  const double price = scenario.hardware.price_per_gpu_hour.value;
  if (price > 0) {
    forecast.cost = scaled(forecast.time_s, price * static_cast<double>(scenario.num_gpus) / 3600);
    if (run.budget) {
      forecast.within_budget = forecast.cost->p90 <= *run.budget;
    }
  }
  return forecast;
}

}  // namespace portolan
