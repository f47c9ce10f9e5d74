#pragma once

#include <cstdint>
#include <optional>

#include "plan/estimate.h"
#include "plan/evaluator.h"
#include "plan/legality.h"
#include "plan/scenario.h"

namespace portolan {

/// What the search says of one candidate.
struct Verdict {
  enum class Kind : std::uint8_t { kRanked, kRejected, kDominated };
  Kind kind = Kind::kRejected;
  std::optional<Rejection> rejection;
  std::optional<Estimate> estimate;  ///< where the candidate is legal, even if it does not fit
};

/// One candidate: its rejection, or its estimate by `evaluator` and whether it fits. Recomputation that is
/// open is chosen so that it fits on this rung, if it can be; the estimate's strategy has it.
Verdict judge(const Scenario& scenario, const Strategy& strategy, const Evaluator& evaluator,
              Fidelity fidelity);

/// "83.1 GiB needed, 80.0 GiB there, stage 0", when `estimate` does not fit its devices; likewise of the
/// memory of a node's host, where the hardware file says how much there is.
std::optional<Rejection> find_memory_rejection(const Scenario& scenario, const Estimate& estimate);

/// The value that the objective makes smallest.
double objective_value(Objective objective, const Estimate& estimate);

}  // namespace portolan
