#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plan/evaluator.h"
#include "plan/scenario.h"

namespace portolan {

// Candidates whose recomputation is left to a solver (RecomputeOptimal). On the rung kClosedForm an Evaluator
// chooses it, and its estimate's strategy has it.

/// Estimates of `strategies` on a rung, with open recomputation chosen. What is chosen fills the memory that
/// the closed form sees; where that is too much on this rung, which knows what the allocator keeps for
/// itself, it is chosen again with as much to spare, a few times, if there is anything smaller to choose.
std::vector<Result<Estimate>> evaluate_choosing(const Scenario& scenario,
                                                std::span<const Strategy> strategies,
                                                const Evaluator& evaluator, Fidelity fidelity);

}  // namespace portolan
