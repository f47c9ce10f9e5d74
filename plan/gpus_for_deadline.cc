#include "plan/gpus_for_deadline.h"

#include <algorithm>

#include "model/block.h"
#include "plan/job_cluster.h"

namespace portolan {

namespace {

constexpr double kScreeningSlack = 1.5;   ///< how far the closed form may be above what simulations see
constexpr double kSimulatedSlack = 1.05;  ///< how far the best of a few may be above the best of many

/// GPUs below which the run cannot keep to its deadline.
std::int64_t fewest_gpus(const Scenario& scenario) {
  const TrainingRun& run = *scenario.training_run;
  const double sequences = static_cast<double>(run.tokens) / static_cast<double>(scenario.sequence_length);
  const Flops flops = model_flops_per_sequence(scenario.model, scenario.sequence_length) * (sequences / 2);
  const FlopsPerSecond peak = scenario.hardware.device.peak.at(scenario.precision).value;
  const double gpus = (flops / peak) / *run.deadline;
  return static_cast<std::int64_t>(std::min(gpus, 1e12));
}

/// Nothing where no strategy fits, or work hardly advances.
Result<std::optional<SizedRun>> run_with(const Scenario& scenario, const std::optional<ErrorMargin>& margin,
                                         const ScenarioPlanner& planner, PlanningEffort effort) {
  const Result<Estimate> estimate = planner(scenario, effort);
  const Result<RunForecast> forecast =
      estimate ? forecast_run(scenario, *estimate, margin) : Result<RunForecast>(estimate.error());
  if (forecast) {
    return std::optional(SizedRun{.estimate = *estimate, .forecast = *forecast});
  }
  if (forecast.error().kind == ErrorKind::kInfeasible) {
    return std::optional<SizedRun>();
  }
  return forecast.error();
}

}  // namespace

Result<DeadlineSize> gpus_for_deadline(const Scenario& scenario, const std::optional<ErrorMargin>& margin,
                                       const ScenarioPlanner& planner,
                                       const std::function<void(std::int64_t num_gpus)>& on_size) {
  const double deadline = scenario.training_run->deadline->value;
  const std::int64_t node = scenario.hardware.gpus_per_node;
  const std::int64_t least_nodes = std::max<std::int64_t>(1, fewest_gpus(scenario) / node);
  PORTOLAN_TRY(const NodeList there, nodes_of_job(scenario));
  DeadlineSize answer;
  for (std::int64_t nodes = least_nodes; nodes <= std::ssize(there); ++nodes) {
    Scenario sized = scenario;
    sized.num_gpus = nodes * node;
    if (on_size) {
      on_size(sized.num_gpus);
    }
    ++answer.num_screened;
    PORTOLAN_TRY(const std::optional<SizedRun> screened,
                 run_with(sized, margin, planner, PlanningEffort::kScreening));
    if (!screened || screened->forecast.time_s.p90 > kScreeningSlack * deadline) {
      continue;
    }
    PORTOLAN_TRY(std::optional<SizedRun> simulated,
                 run_with(sized, margin, planner, PlanningEffort::kSimulated));
    if (!simulated) {
      continue;
    }
    if (simulated->forecast.time_s.p90 <= kSimulatedSlack * deadline) {
      ++answer.num_planned;
      PORTOLAN_TRY(std::optional<SizedRun> planned, run_with(sized, margin, planner, PlanningEffort::kFull));
      if (planned && planned->forecast.time_s.p90 <= deadline) {
        answer.smallest = std::move(planned);
        answer.soonest.reset();
        break;
      }
    }
    if (!answer.soonest || simulated->forecast.time_s.p90 < answer.soonest->forecast.time_s.p90) {
      answer.soonest = std::move(simulated);
    }
  }
  return answer;
}

}  // namespace portolan
