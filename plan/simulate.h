#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "plan/activity_graph.h"
#include "plan/costed_program.h"
#include "plan/estimate.h"
#include "plan/scenario.h"
#include "plan/timeline.h"
#include "topology/cluster.h"

namespace portolan {

/// Who runs an activity graph: the simulator, or a test's own.
using GraphRunner = std::function<Result<ActivityTimes>(const ActivityGraph&)>;

struct Simulation {
  Estimate estimate;
  Timeline timeline;  ///< empty unless asked for
  std::int64_t num_activities = 0;
};

struct SimulationRequest {
  const Scenario& scenario;
  const Strategy& strategy;
  const Program& program;
  const Cluster& cluster;
  Fidelity fidelity = Fidelity::kFolded;
  bool with_timeline = false;
  /// At fidelity replicas, full and explicit; none: without end.
  std::optional<std::int64_t> max_transfers = {};
};

/// Predicts one step of `program` on a rung above the closed form: fold, coalesce, unfold, run, read back.
/// Errors: kInfeasible where the cluster has too few GPUs, or more than `max_transfers` would be needed.
Result<Simulation> simulate_program(const SimulationRequest& request, const GraphRunner& runner);

}  // namespace portolan
