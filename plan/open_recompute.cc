#include "plan/open_recompute.h"

#include <algorithm>
#include <utility>

#include "plan/search.h"

namespace portolan {

namespace {

/// Allocators keep what depends on sizes and order, so that a smaller choice may need more: it takes some
/// attempts.
constexpr int kMostAttempts = 6;

Bytes missing(const Scenario& scenario, const Estimate& estimate) {
  return estimate.peak_memory - scenario.hardware.device.memory.value;
}

}  // namespace

std::vector<Result<Estimate>> evaluate_choosing(const Scenario& scenario,
                                                std::span<const Strategy> strategies,
                                                const Evaluator& evaluator, Fidelity fidelity) {
  if (fidelity == Fidelity::kClosedForm) {
    return evaluator(strategies, fidelity);
  }
  std::vector<Strategy> chosen(strategies.begin(), strategies.end());
  for (Strategy& strategy : chosen) {
    if (strategy.recompute.is_open()) {
      const std::vector<Result<Estimate>> estimate =
          evaluator(std::span(&strategy, 1), Fidelity::kClosedForm);
      if (estimate.front()) {
        strategy = estimate.front()->strategy;
      }
    }
  }
  std::vector<Result<Estimate>> results = evaluator(chosen, fidelity);
  for (std::size_t i = 0; i < results.size(); ++i) {
    Strategy next = chosen[i];
    for (int attempt = 0; attempt < kMostAttempts && next.recompute.optimal && results[i] &&
                          missing(scenario, *results[i]) > Bytes(0);
         ++attempt) {
      next.recompute.optimal->chosen = false;
      next.recompute.optimal->spare += missing(scenario, *results[i]);
      const std::vector<Result<Estimate>> smaller = evaluator(std::span(&next, 1), Fidelity::kClosedForm);
      const Bytes spare = next.recompute.optimal->spare;
      if (!smaller.front() || missing(scenario, *smaller.front()) + spare > Bytes(0)) {
        break;
      }
      next = smaller.front()->strategy;
      std::vector<Result<Estimate>> again = evaluator(std::span(&next, 1), fidelity);
      if (again.front()) {
        results[i] = std::move(again.front());
      }
    }
  }
  return results;
}

Result<std::vector<OpenCandidate>> bounded_candidates(const Scenario& scenario,
                                                      std::span<const Strategy> open,
                                                      const Evaluator& evaluator) {
  std::vector<Strategy> closed(open.begin(), open.end());
  for (Strategy& strategy : closed) {
    strategy.recompute = {};
    strategy.recompute.all_layers =
        scenario.objective == Objective::kMemory ? recompute_full() : recompute_none();
  }
  std::vector<Result<Estimate>> bounds = evaluator(closed, Fidelity::kClosedForm);
  std::vector<OpenCandidate> candidates;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    PORTOLAN_TRY(Estimate bound, std::move(bounds[i]));
    candidates.push_back({open[i], std::move(bound)});
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [&](const OpenCandidate& one, const OpenCandidate& other) {
                     return objective_value(scenario.objective, one.bound) <
                            objective_value(scenario.objective, other.bound);
                   });
  return candidates;
}

}  // namespace portolan
