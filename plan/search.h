#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "plan/branch_and_bound.h"
#include "plan/estimate.h"
#include "plan/evaluator.h"
#include "plan/legality.h"
#include "plan/scenario.h"
#include "plan/search_space.h"
#include "plan/strategy_constraints.h"
#include "plan/verdict.h"

namespace portolan {

/// Who answers a search: `evaluator` the rungs, `runner` the tasks of branch and bound.
struct SearchTools {
  const Cluster& cluster;
  Evaluator evaluator;
  TaskRunner runner = run_here;
};

struct SearchOptions {
  SpaceBreadth breadth = SpaceBreadth::kWhole;
  Shortlist shortlist = {};   ///< best by the closed form; the others are left out
  bool simulates = true;      ///< those of the shortlist that may be the best, folded
  std::int32_t num_full = 8;  ///< best of those, simulated in full where all of them are small enough
};

inline constexpr std::ptrdiff_t kMostImpaired = 32;

struct SearchResult {
  std::int64_t num_enumerated = 0;
  std::array<std::int64_t, kNumRejectReasons> num_rejected{};
  std::int64_t num_evaluated = 0;  ///< by the closed form
  std::int64_t num_feasible = 0;   ///< of those
  std::int64_t num_simulated = 0;
  std::vector<Estimate> ranking;  ///< best first, as the highest rung saw them
  std::vector<Estimate> pareto;   ///< of ranking: no other is better in both time and memory
  /// Why the finalists were not simulated in full, and stand as `folded` saw them; empty: they were.
  std::string not_in_full;
  /// Where something is wrong with the cluster: whether none of the candidates that were not simulated can be
  /// better than the first, as none of them is even on the healthy cluster, by the closed form.
  std::optional<bool> none_better;
};

/// Memory and the closed form for all candidates, by branch and bound; `folded` for the shortlist (the next
/// best too, where the allocator's share leaves none that fits), `full` for the finalists, unless the
/// evaluator finds one of them too large for it (kInfeasible). Ties go to the candidate enumerated first.
///
/// Where something is wrong with the cluster, the closed form takes it as if nothing were. Its best are then
/// simulated in full as the cluster is, until the next one could not be the best, or kMostImpaired of them.
/// Errors: kInfeasible when no candidate is left, with the nearest miss; when a failed node is among those
/// that ranks would be on; when finalists on such a cluster are too large for full.
Result<SearchResult> search(const Scenario& scenario, const StrategyConstraints& constraints,
                            const SearchTools& tools, const SearchOptions& options);

}  // namespace portolan
