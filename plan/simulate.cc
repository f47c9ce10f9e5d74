#include "plan/simulate.h"

#include <fmt/format.h>

#include "plan/closed_form.h"
#include "plan/reserved_memory.h"
#include "plan/transfer_count.h"
#include "plan/unfold.h"

namespace portolan {

Result<Simulation> simulate_program(const SimulationRequest& request, const GraphRunner& runner) {
  if (request.program.num_ranks() > request.cluster.num_devices()) {
    return infeasible(fmt::format("{} ranks exceed the {} GPUs of {}", request.program.num_ranks(),
                                  request.cluster.num_devices(), request.cluster.hardware().name));
  }
  const KernelCost cost(request.scenario.hardware, request.strategy.precision, request.scenario.software);
  const CostedProgram costed = coalesce(fold(request.program, cost, request.cluster, request.fidelity));
  const bool grows_with_ranks = request.fidelity > Fidelity::kFolded;
  if (request.max_transfers && grows_with_ranks) {
    const std::int64_t transfers = count_transfers(costed, request.cluster);
    if (transfers > *request.max_transfers) {
      return infeasible(fmt::format("fidelity {}: {} transfers (allowed here: {})",
                                    fidelity_name(request.fidelity), transfers, *request.max_transfers));
    }
  }
  PORTOLAN_TRY(const UnfoldedProgram unfolded, unfold(costed, request.cluster));
  PORTOLAN_TRY(const ActivityTimes times, runner(unfolded.graph));
  Simulation simulation;
  simulation.num_activities = static_cast<std::int64_t>(unfolded.graph.activities.size());
  Estimate& estimate = simulation.estimate;
  estimate.strategy = request.strategy;
  estimate.step_time = times.makespan;
  estimate.breakdown = breakdown_of(costed, unfolded, times);
  estimate.stage_memory = program_memory(request.scenario, request.strategy, request.program);
  complete_estimate(estimate, request.scenario);
  if (request.with_timeline) {
    simulation.timeline = expand_timeline(costed, unfolded, times);
  }
  return simulation;
}

}  // namespace portolan
