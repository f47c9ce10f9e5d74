#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "plan/evaluator.h"
#include "plan/legality.h"
#include "plan/scenario.h"
#include "plan/search_space.h"
#include "plan/shortlist.h"
#include "topology/cluster.h"

namespace portolan {

/// A strategy of the space that fits the devices, by the closed form.
struct Contender {
  Strategy strategy;  ///< recomputation chosen
  double value = 0;   ///< objective_value

  bool operator==(const Contender&) const = default;
};

struct BoundedSearch {
  std::vector<Contender> best;  ///< best first; equal ones in the order of the space
  std::array<std::int64_t, kNumRejectReasons> num_rejected{};  ///< kDominated: fit and are not among `best`
  std::int64_t num_enumerated = 0;                             ///< those rejected and `best`
  std::int64_t num_evaluated = 0;  ///< of which the closed form was asked for time and memory
  /// Where nothing fits: what came closest, and why it does not.
  std::optional<Rejection> closest;
  bool all_alike = false;  ///< then: all fail for that one reason
};

/// The best of `space` by the closed form, as if each of its strategies were evaluated: of those that differ
/// only in zero_group and in how gradients are summed, which is the tail of the tree, the best one alone
/// (the first of equal ones).
///
/// Branch and bound. A pipeline of a branch, then each of its choices of recomputation, is left out when
/// ClosedForm::Body says that no step of it is short enough, a sharding when it cannot fit. Branches that
/// promise most come first; what is short enough is known from one quick completion of each at the outset.
/// How many are left out by a bound does not depend on who runs the tasks. Of each device's memory `spare` is
/// left free.
///
/// Errors: the runner's.
Result<BoundedSearch> branch_and_bound(const Scenario& scenario, const Cluster& cluster,
                                       const SearchSpace& space, const Shortlist& wanted, Bytes spare,
                                       const TaskRunner& runner);

}  // namespace portolan
