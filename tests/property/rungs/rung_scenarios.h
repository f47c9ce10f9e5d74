#pragma once

#include <vector>

#include "plan/scenario.h"
#include "plan/simulate.h"
#include "topology/cluster.h"

namespace portolan {

/// 64 nodes of 8 GPUs, 8 network cards each, two pods of 32 nodes, 16 spines; round figures.
Hardware round_dgx(std::int64_t num_nodes);

/// A GPT with 16 layers whose batch keeps every strategy below legal. Features as megatron-2022.
Scenario round_scenario(std::int64_t num_nodes);

/// Legal strategies of a grid over degrees, microbatch, axis order, 1F1B and GPipe, ZeRO 0 and 1; and some
/// with the other schedules, ZeRO 2 and 3 and other recomputation.
std::vector<Strategy> strategy_grid(const Scenario& scenario);

/// One rung on SimGrid. Fails the test on error.
Estimate simulated(const Scenario& scenario, const Cluster& cluster, const Strategy& strategy,
                   Fidelity fidelity);

/// Relative difference of two step times.
double apart(const Estimate& a, const Estimate& b);

}  // namespace portolan
