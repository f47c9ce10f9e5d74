#pragma once

#include <string>
#include <vector>

#include "plan/divergence.h"
#include "plan/plan_file.h"
#include "plan/simulate.h"
#include "topology/cluster.h"

namespace portolan {

/// A plan with its prediction on fidelity folded, nothing contending.
struct PredictedPlan {
  std::string name;
  Plan plan;
  Simulation simulation;

  PlanPrediction prediction() const { return {plan.scenario, plan.strategy, plan.program, simulation}; }
};

/// GPTs on 16 GPUs: unfused attention with sequence parallelism, a pipeline and ZeRO 1; flash attention with
/// tensor parallelism and full recomputation; FSDP; a ring of ranks along the sequence.
std::vector<PredictedPlan> predicted_plans();

}  // namespace portolan
