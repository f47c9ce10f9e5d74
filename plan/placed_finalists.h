#pragma once

#include <cstddef>
#include <vector>

#include "base/result.h"
#include "plan/estimate.h"
#include "plan/evaluator.h"
#include "plan/place_nodes.h"
#include "plan/scenario.h"

namespace portolan {

/// A strategy with the order of nodes that a rung found fastest for it.
struct PlacedFinalist {
  Estimate by_default;  ///< in the job's own order
  Estimate placed;  ///< no worse than by_default; its strategy's node_order is empty where the default won
  LinkLoad default_load;
  LinkLoad placed_load;
};

struct PlacedFinalists {
  std::vector<PlacedFinalist> list;         ///< best first by `placed`
  Fidelity fidelity = Fidelity::kReplicas;  ///< that judged them
};

/// The first `num` of a ranking, each with orders of nodes that place_nodes finds, the most promising of
/// which are simulated in full; where that is too large for `evaluator` (kInfeasible) and nothing is wrong
/// with the hardware, one rail of each replica. Errors: those of place_nodes and of `evaluator`.
/// Preconditions: a ranking that is not empty, num >= 1.
Result<PlacedFinalists> place_finalists(const Scenario& scenario, const std::vector<Estimate>& ranking,
                                        std::size_t num, const Evaluator& evaluator);

/// The ranking with the placed finalists, as they were placed, in front. Precondition: `placed` is of its
/// first ones.
std::vector<Estimate> with_placed(std::vector<Estimate> ranking, const PlacedFinalists& placed);

}  // namespace portolan
