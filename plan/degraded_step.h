#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/result.h"
#include "plan/simulate.h"

namespace portolan {

/// A job that stops within the step, which is lost.
struct JobStop {
  std::size_t event = 0;  ///< which one
  Seconds at;             ///< in the step
  /// Step time once the job is set up anew and goes around what failed, with what is slow from then on; in
  /// place of a failed node another one that works. None: `no_restart` says why not.
  std::optional<Seconds> step_time_after;
  std::string no_restart;
};

/// A step on a cluster on which something is wrong, beside the same step as if nothing were.
struct DegradedStep {
  Seconds healthy;
  std::vector<RankTime> healthy_ranks;
  /// With the condition, and with the events up to the end of the step or, of a job that stops, as if it had
  /// not.
  Simulation step;
  std::optional<JobStop> stop;  ///< the first

  Seconds added() const { return step.estimate.step_time - healthy; }
};

/// Predicts the step of `request`, whose cluster has a condition or which has events, and the healthy one,
/// both with the same communications folded. Errors: those of simulate_program().
Result<DegradedStep> simulate_degraded(const SimulationRequest& request, const GraphRunner& runner);

}  // namespace portolan
