#include "cli/deadline_sizes.h"

#include <fmt/format.h>

#include "catalog/json/estimate_json.h"
#include "catalog/json/run_forecast_json.h"
#include "cli/evaluation.h"
#include "plan/job_cluster.h"
#include "plan/search.h"
#include "report/run_forecast_report.h"

namespace portolan {

namespace {

JsonValue sized_json(const std::optional<SizedRun>& sized, const PredictionMargins& margins) {
  return sized ? JsonValue::object()
                     .set("estimate", to_json(sized->estimate, margins))
                     .set("training_run", to_json(sized->forecast))
               : JsonValue();
}

std::string sized_line(const SizedRun& sized, const Scenario& scenario) {
  const RunForecast& run = sized.forecast;
  return fmt::format("  {} GPUs ({} nodes): P50 {}, P90 {}\n  {}\n", run.num_gpus,
                     run.num_gpus / scenario.hardware.gpus_per_node, format_duration(Seconds(run.time_s.p50)),
                     format_duration(Seconds(run.time_s.p90)), short_name(sized.estimate.strategy));
}

}  // namespace

Result<void> check_has_deadline(const Scenario& scenario) {
  if (!scenario.training_run || !scenario.training_run->deadline) {
    return bad_input(
        "--gpus-for-deadline: without a deadline (needed: --deadline, or the scenario's "
        "training_run.deadline)");
  }
  return {};
}

Result<DeadlineSize> find_deadline_size(const Session& session, const Scenario& scenario,
                                        const StrategyConstraints& constraints,
                                        const PredictionMargins& margins) {
  PORTOLAN_TRY(const Cluster cluster, job_cluster(scenario));
  const ScenarioPlanner planner = [&](const Scenario& sized, PlanningEffort effort) -> Result<Estimate> {
    const SearchOptions options =
        effort == PlanningEffort::kScreening ? SearchOptions{.simulates = false, .num_full = 0}
        : effort == PlanningEffort::kSimulated
            ? SearchOptions{.shortlist = {.fewest = 8, .most = 8, .tolerance = 0}, .num_full = 0}
            : SearchOptions{};
    PORTOLAN_TRY(const SearchResult found,
                 search(sized, constraints, make_search_tools(sized, cluster), options));
    return found.ranking.front();
  };
  const auto most = static_cast<double>(scenario.hardware.num_gpus());
  Result<DeadlineSize> size =
      gpus_for_deadline(scenario, margins.step_time, planner, [&](std::int64_t num_gpus) {
        session.show_progress(fmt::format("planning for {} GPUs", num_gpus),
                              static_cast<double>(num_gpus) / most);
      });
  session.end_progress();
  return size;
}

std::string deadline_size_text(const DeadlineSize& size, const Scenario& scenario) {
  const std::string deadline = format_duration(*scenario.training_run->deadline);
  if (size.smallest) {
    return fmt::format("fewest GPUs that keep to {} in 90% of cases:\n{}", deadline,
                       sized_line(*size.smallest, scenario));
  }
  const std::string none = fmt::format("no size up to {} GPUs keeps to {} in 90% of cases",
                                       scenario.hardware.num_gpus(), deadline);
  return size.soonest ? none + "; soonest done:\n" + sized_line(*size.soonest, scenario) : none + "\n";
}

std::string deadline_size_json(const DeadlineSize& size, const PredictionMargins& margins) {
  return write_json_line(JsonValue::object()
                             .set("smallest", sized_json(size.smallest, margins))
                             .set("soonest", sized_json(size.soonest, margins))
                             .set("sizes_screened", size.num_screened)
                             .set("sizes_planned", size.num_planned));
}

}  // namespace portolan
