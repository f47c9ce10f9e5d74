#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "plan/activity_graph.h"
#include "plan/costed_program.h"
#include "plan/disturbance.h"
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
  std::vector<RankTime> ranks;  ///< with events or a disturbance asked for
  /// For each event that is fatal: when the job stops on it; none: it does not in this step. Others: none.
  std::vector<std::optional<Seconds>> stops;
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
  /// What goes wrong within the step, beside what the cluster's condition says. Of those that are fatal only
  /// when the job stops on them; the step goes on as if they had not been.
  std::span<const ClusterEvent> events = {};
  /// Simulated like what condition and events disturb, so that steps with and without them can be compared.
  const Disturbance* also_disturbed = nullptr;
};

/// Whether ranks 0 to `num_ranks` - 1, each on the GPU of its number, are on nodes that work. Errors
/// (kInfeasible): the first that has failed.
Result<void> check_nodes(const Cluster& cluster, std::int64_t num_ranks);

/// Predicts one step of `program` on a rung above the closed form: fold, coalesce, unfold, run, read back.
/// Errors: kInfeasible where the cluster has too few GPUs, a failed node among those that ranks would be on,
/// or more than `max_transfers` would be needed; kBadInput where replicas that differ, because something is
/// wrong, cannot be told apart: below fidelity full.
Result<Simulation> simulate_program(const SimulationRequest& request, const GraphRunner& runner);

}  // namespace portolan
