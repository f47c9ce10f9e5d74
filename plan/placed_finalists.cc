#include "plan/placed_finalists.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "plan/lower.h"
#include "plan/verdict.h"

namespace portolan {

namespace {

/// Of each finalist, beside the default one.
constexpr std::size_t kOrdersSimulated = 2;

/// A strategy with one of its orders.
struct Entrant {
  NodeOrder order;
  Strategy strategy;
};

/// The default order is the first of each finalist.
Result<std::vector<Entrant>> entrants_of(const Scenario& scenario, const std::vector<Estimate>& ranking,
                                         std::size_t num) {
  std::vector<Entrant> entrants;
  for (std::size_t i = 0; i < std::min(num, ranking.size()); ++i) {
    const Program program = lower(scenario, ranking[i].strategy);
    PORTOLAN_TRY(std::vector<NodeOrder> orders, place_nodes(scenario, program));
    orders.resize(std::min(orders.size(), 1 + kOrdersSimulated));
    for (std::size_t k = 0; k < orders.size(); ++k) {
      Entrant entrant{.order = std::move(orders[k]), .strategy = ranking[i].strategy};
      entrant.strategy.node_order = k == 0 ? NodeList() : entrant.order.nodes;
      entrants.push_back(std::move(entrant));
    }
  }
  return entrants;
}

/// The first error, where there is one.
Result<std::vector<Estimate>> all_estimates(std::vector<Result<Estimate>> results) {
  std::vector<Estimate> estimates;
  for (Result<Estimate>& result : results) {
    if (!result) {
      return result.error();
    }
    estimates.push_back(*std::move(result));
  }
  return estimates;
}

}  // namespace

Result<PlacedFinalists> place_finalists(const Scenario& scenario, const std::vector<Estimate>& ranking,
                                        std::size_t num, const Evaluator& evaluator) {
  assert(!ranking.empty() && num >= 1);
  PORTOLAN_TRY(const std::vector<Entrant> entrants, entrants_of(scenario, ranking, num));
  std::vector<Strategy> strategies;
  for (const Entrant& entrant : entrants) {
    strategies.push_back(entrant.strategy);
  }
  PlacedFinalists finalists{.list = {}, .fidelity = Fidelity::kFull};
  Result<std::vector<Estimate>> estimates = all_estimates(evaluator(strategies, finalists.fidelity));
  // One rail says nothing of what is wrong with another.
  if (!estimates && estimates.error().kind == ErrorKind::kInfeasible && scenario.hardware.condition.empty()) {
    finalists.fidelity = Fidelity::kReplicas;
    estimates = all_estimates(evaluator(strategies, finalists.fidelity));
  }
  if (!estimates) {
    return estimates.error();
  }
  const auto value = [&](const Estimate& estimate) { return objective_value(scenario.objective, estimate); };
  for (std::size_t i = 0; i < entrants.size(); ++i) {
    const Estimate& estimate = (*estimates)[i];
    const LinkLoad load = entrants[i].order.load;
    if (entrants[i].strategy.node_order.empty()) {
      finalists.list.push_back(
          {.by_default = estimate, .placed = estimate, .default_load = load, .placed_load = load});
    } else if (PlacedFinalist& finalist = finalists.list.back(); value(estimate) < value(finalist.placed)) {
      finalist.placed = estimate;
      finalist.placed_load = load;
    }
  }
  std::stable_sort(
      finalists.list.begin(), finalists.list.end(),
      [&](const PlacedFinalist& a, const PlacedFinalist& b) { return value(a.placed) < value(b.placed); });
  return finalists;
}

std::vector<Estimate> with_placed(std::vector<Estimate> ranking, const PlacedFinalists& placed) {
  assert(placed.list.size() <= ranking.size());
  std::transform(placed.list.begin(), placed.list.end(), ranking.begin(),
                 [](const PlacedFinalist& finalist) { return finalist.placed; });
  return ranking;
}

}  // namespace portolan
