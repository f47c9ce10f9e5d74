#include "plan/degraded_step.h"

#include <algorithm>
#include <utility>

#include "plan/job_cluster.h"
#include "plan/share_changes.h"

namespace portolan {

namespace {

/// What the hardware is like when a job that stopped at `stop` is set up anew: what has failed by then is
/// gone around, or of a node replaced, and what is slow by then stays so.
Hardware hardware_after(const SimulationRequest& request, Seconds stop) {
  Hardware hardware = request.cluster.hardware();
  for (const ClusterEvent& event : request.events) {
    const bool lasts = event.at <= stop && (!event.lasting || event.at + *event.lasting > stop);
    if (!lasts || event.what.kind == ImpairmentKind::kFailedNode) {
      continue;
    }
    const auto known =
        std::find_if(hardware.condition.begin(), hardware.condition.end(), [&](const Impairment& impairment) {
          return impairment.kind == event.what.kind && impairment.place == event.what.place;
        });
    if (known == hardware.condition.end()) {
      hardware.condition.push_back(event.what);
    } else {
      known->share *= event.what.share;
    }
  }
  return hardware;
}

/// The first of the stops, and what follows.
Result<std::optional<JobStop>> first_stop(const SimulationRequest& request, const Simulation& step,
                                          const GraphRunner& runner) {
  std::optional<JobStop> stop;
  for (std::size_t i = 0; i < step.stops.size(); ++i) {
    if (step.stops[i] && (!stop || *step.stops[i] < stop->at)) {
      stop = JobStop{.event = i, .at = *step.stops[i], .step_time_after = {}, .no_restart = {}};
    }
  }
  if (!stop) {
    return stop;
  }
  Scenario scenario = request.scenario;
  scenario.hardware = hardware_after(request, stop->at);
  const Result<Cluster> after = job_cluster(scenario, request.strategy);
  if (!after) {
    stop->no_restart = after.error().message;
    return stop;
  }
  const SimulationRequest again{.scenario = request.scenario,
                                .strategy = request.strategy,
                                .program = request.program,
                                .cluster = *after,
                                .fidelity = request.fidelity,
                                .max_transfers = request.max_transfers};
  PORTOLAN_TRY(const Simulation simulated, simulate_program(again, runner));
  stop->step_time_after = simulated.estimate.step_time;
  return stop;
}

}  // namespace

Result<DegradedStep> simulate_degraded(const SimulationRequest& request, const GraphRunner& runner) {
  PORTOLAN_CHECK_OK(check_events(request.cluster, request.events));
  const Disturbance disturbance(request.cluster, request.events);
  SimulationRequest with = request;
  with.also_disturbed = &disturbance;
  DegradedStep degraded;
  PORTOLAN_TRY(degraded.step, simulate_program(with, runner));
  const SimulationRequest without{.scenario = request.scenario,
                                  .strategy = request.strategy,
                                  .program = request.program,
                                  .cluster = request.cluster.healthy(),
                                  .fidelity = request.fidelity,
                                  .max_transfers = request.max_transfers,
                                  .also_disturbed = &disturbance};
  PORTOLAN_TRY(const Simulation healthy, simulate_program(without, runner));
  degraded.healthy = healthy.estimate.step_time;
  degraded.healthy_ranks = healthy.ranks;
  PORTOLAN_TRY(degraded.stop, first_stop(request, degraded.step, runner));
  return degraded;
}

}  // namespace portolan
