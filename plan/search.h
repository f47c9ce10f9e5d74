#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "plan/estimate.h"
#include "plan/evaluator.h"
#include "plan/legality.h"
#include "plan/scenario.h"

namespace portolan {

/// Every combination of the strategy's available fields that `constraints` leaves open, legal or not.
/// Degrees run over the divisors of the scenario's GPUs, microbatches over the powers of two up to 64 and the
/// batch.
std::vector<Strategy> enumerate_strategies(const Scenario& scenario, const StrategyConstraints& constraints);

/// The scenario's constraints with those of `over` on top.
StrategyConstraints merge_constraints(const StrategyConstraints& under, const StrategyConstraints& over);

/// What the search says of one candidate.
struct Verdict {
  enum class Kind : std::uint8_t { kRanked, kRejected, kDominated };
  Kind kind = Kind::kRejected;
  std::optional<Rejection> rejection;
  std::optional<Estimate> estimate;  ///< where the candidate is legal, even if it does not fit
};

struct SearchOptions {
  std::int32_t num_folded = 64;  ///< best by the closed form, simulated folded; the others are left out. 0:
                                 ///< no simulation at this rung
  std::int32_t num_full = 8;     ///< best of those, simulated in full where all of them are small enough
};

struct SearchResult {
  std::int64_t num_enumerated = 0;
  std::array<std::int64_t, kNumRejectReasons> num_rejected{};
  std::int64_t num_feasible = 0;  ///< of those that the closed form was asked for
  std::int64_t num_simulated = 0;
  std::vector<Estimate> ranking;  ///< best first, as the highest rung saw them
  std::vector<Estimate> pareto;   ///< of ranking: no other is better in both time and memory
  /// Why the finalists were not simulated in full, and stand as `folded` saw them; empty: they were.
  std::string not_in_full;
  /// Where nothing fits: the candidate that came closest, and why it fails.
  std::optional<Rejection> closest;
};

/// Exhaustive search: legality, memory and the closed form for all candidates (those whose recomputation is
/// still to be chosen as long as they may be among the best: the others count as dominated), `folded` for the
/// best of them (the next best too, where the allocator's share leaves none that fits), `full` for the
/// finalists, unless the evaluator finds one of them too large for it (kInfeasible). Ties go to the candidate
/// enumerated first. Errors: kInfeasible when no candidate is left, with the nearest miss.
Result<SearchResult> search(const Scenario& scenario, const StrategyConstraints& constraints,
                            const Evaluator& evaluator, const SearchOptions& options);

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
