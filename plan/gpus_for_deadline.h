#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/result.h"
#include "plan/run_forecast.h"

namespace portolan {

/// How carefully a scenario is planned.
enum class PlanningEffort : std::uint8_t {
  kScreening,  ///< by the closed form alone
  kSimulated,  ///< its best few simulated on the lowest rung
  kFull,       ///< as `plan` plans
};
/// The best strategy's estimate. kInfeasible: nothing fits.
using ScenarioPlanner = std::function<Result<Estimate>(const Scenario&, PlanningEffort)>;

struct SizedRun {
  Estimate estimate;
  RunForecast forecast;
};

struct DeadlineSize {
  std::optional<SizedRun> smallest;  ///< that keeps to the deadline in nine of ten cases
  std::optional<SizedRun> soonest;  ///< where none does: the one that is done first, of those planned in full
  std::int64_t num_screened = 0;
  std::int64_t num_planned = 0;  ///< in full
};

/// The fewest GPUs, in whole nodes up to the job's, with which the scenario's run keeps to its deadline
/// in nine of ten cases. Sizes are planned anew one after the other from the smallest up, as time need not
/// fall with them: many have no strategy at all. Left out are sizes too small even at half of the FLOPs at
/// peak rate (attention may skip what is masked), those that the closed form sees at more than 1.5 times the
/// deadline, and of the others those whose best few are simulated at more than 1.05 times. Precondition:
/// training_run with a deadline. Errors: the planner's, but for kInfeasible.
Result<DeadlineSize> gpus_for_deadline(const Scenario& scenario, const std::optional<ErrorMargin>& margin,
                                       const ScenarioPlanner& planner,
                                       const std::function<void(std::int64_t num_gpus)>& on_size = {});

}  // namespace portolan
