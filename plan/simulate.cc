#include "plan/simulate.h"

#include <fmt/format.h>

#include <algorithm>

#include "plan/closed_form.h"
#include "plan/job_stops.h"
#include "plan/reserved_memory.h"
#include "plan/transfer_count.h"
#include "plan/unfold.h"

namespace portolan {

namespace {

/// One replica, or one rail, cannot stand for others that are not like it.
Result<void> check_fidelity(const SimulationRequest& request) {
  const bool differ = !request.cluster.is_healthy() || !request.events.empty();
  if (differ && request.fidelity < Fidelity::kFull) {
    return bad_input(
        fmt::format("fidelity {}: one replica or rail stands for others, which differ where something "
                    "is wrong with {} (allowed: full, explicit)",
                    fidelity_name(request.fidelity), request.cluster.hardware().name));
  }
  return check_events(request.cluster, request.events);
}

/// What the request disturbs, or is to be compared with.
Disturbance disturbance_of(const SimulationRequest& request) {
  if (request.also_disturbed != nullptr) {
    return *request.also_disturbed;
  }
  return Disturbance(request.cluster, request.events);
}

}  // namespace

Result<void> check_nodes(const Cluster& cluster, std::int64_t num_ranks) {
  const std::int64_t per_node = cluster.hardware().gpus_per_node;
  for (std::int64_t node = 0; node * per_node < num_ranks; ++node) {
    if (!cluster.is_usable(node)) {
      return infeasible(
          fmt::format("node{} has failed: ranks {} to {} would be on it (use fewer GPUs, or one "
                      "that works in its place)",
                      node, node * per_node, std::min((node + 1) * per_node, num_ranks) - 1));
    }
  }
  return {};
}

Result<Simulation> simulate_program(const SimulationRequest& request, const GraphRunner& runner) {
  if (request.program.num_ranks() > request.cluster.num_devices()) {
    return infeasible(fmt::format("{} ranks exceed the {} GPUs of {}", request.program.num_ranks(),
                                  request.cluster.num_devices(), request.cluster.hardware().name));
  }
  PORTOLAN_CHECK_OK(check_fidelity(request));
  PORTOLAN_CHECK_OK(check_nodes(request.cluster, request.program.num_ranks()));
  const KernelCost cost(request.scenario.hardware, request.strategy.precision, request.scenario.software);
  const CostedProgram costed =
      coalesce(fold(request.program, cost, request.cluster, request.fidelity, disturbance_of(request)));
  const bool grows_with_ranks = request.fidelity > Fidelity::kFolded;
  if (request.max_transfers && grows_with_ranks) {
    const std::int64_t transfers = count_transfers(costed, request.cluster.healthy());
    if (transfers > *request.max_transfers) {
      return infeasible(fmt::format("fidelity {}: {} transfers (allowed here: {})",
                                    fidelity_name(request.fidelity), transfers, *request.max_transfers));
    }
  }
  PORTOLAN_TRY(const UnfoldedProgram unfolded,
               unfold(costed, request.cluster, share_changes(request.cluster, request.events)));
  PORTOLAN_TRY(const ActivityTimes times, runner(unfolded.graph));
  Simulation simulation;
  simulation.num_activities = static_cast<std::int64_t>(unfolded.graph.activities.size());
  Estimate& estimate = simulation.estimate;
  estimate.strategy = request.strategy;
  estimate.step_time = times.makespan;
  estimate.breakdown = breakdown_of(costed, unfolded, times);
  estimate.stage_memory = program_memory(request.scenario, request.strategy, request.program);
  complete_estimate(estimate, request.scenario);
  if (!request.events.empty() || request.also_disturbed != nullptr) {
    simulation.ranks = rank_times(costed, unfolded, times);
    simulation.stops =
        job_stops(request.cluster, request.events, request.program.num_ranks(), unfolded, times);
  }
  if (request.with_timeline) {
    simulation.timeline = expand_timeline(costed, unfolded, times);
  }
  return simulation;
}

}  // namespace portolan
