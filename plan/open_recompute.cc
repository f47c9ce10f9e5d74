#include "plan/open_recompute.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

namespace portolan {

namespace {

/// Allocators keep what depends on sizes and order, so that a smaller choice may need more than it should:
/// each attempt leaves what was missing so many times as it is the first, the second and so on.
constexpr int kMostAttempts = 8;

Bytes missing(const Scenario& scenario, const Estimate& estimate) {
  return estimate.peak_memory - scenario.hardware.device.memory.value;
}

/// What was chosen for `estimate`, chosen again with more to spare; nothing where that is more than can be.
std::optional<Strategy> with_more_to_spare(const Scenario& scenario, const Estimate& estimate, int attempt,
                                           const Evaluator& evaluator) {
  Strategy next = estimate.strategy;
  next.recompute.optimal->chosen = false;
  next.recompute.optimal->spare += missing(scenario, estimate) * attempt;
  const Bytes spare = next.recompute.optimal->spare;
  const std::vector<Result<Estimate>> smaller = evaluator(std::span(&next, 1), Fidelity::kClosedForm);
  const bool fits = smaller.front() && missing(scenario, *smaller.front()) + spare <= Bytes(0);
  return fits ? std::optional(smaller.front()->strategy) : std::nullopt;
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
      strategy = estimate.front() ? estimate.front()->strategy : strategy;
    }
  }
  std::vector<Result<Estimate>> results = evaluator(chosen, fidelity);
  std::vector<std::size_t> too_large(results.size());
  std::iota(too_large.begin(), too_large.end(), std::size_t{0});
  for (int attempt = 1; attempt <= kMostAttempts && !too_large.empty(); ++attempt) {
    std::vector<std::size_t> places;
    std::vector<Strategy> smaller;
    for (const std::size_t i : too_large) {
      const Result<Estimate>& result = results[i];
      if (!result || !result->strategy.recompute.optimal || missing(scenario, *result) <= Bytes(0)) {
        continue;
      }
      if (std::optional<Strategy> next = with_more_to_spare(scenario, *result, attempt, evaluator)) {
        places.push_back(i);
        smaller.push_back(*std::move(next));
      }
    }
    if (smaller.empty()) {
      break;
    }
    std::vector<Result<Estimate>> again = evaluator(smaller, fidelity);
    for (std::size_t k = 0; k < places.size(); ++k) {
      results[places[k]] = std::move(again[k]);
    }
    too_large = std::move(places);
  }
  return results;
}

}  // namespace portolan
