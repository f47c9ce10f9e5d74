#include "plan/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <limits>

#include "plan/closed_form.h"
#include "plan/open_recompute.h"
#include "plan/simulate.h"

namespace portolan {

namespace {

/// Candidates that do not fit: how many, and the one that needs least.
struct TooLarge {
  std::int64_t num = 0;
  Bytes least_memory{std::numeric_limits<std::int64_t>::max()};
  std::optional<Rejection> closest;

  void note(const Estimate& estimate, const Rejection& rejection) {
    ++num;
    if (estimate.peak_memory < least_memory) {
      least_memory = estimate.peak_memory;
      closest = Rejection{RejectReason::kMemory,
                          fmt::format("{}: {}", short_name(estimate.strategy), rejection.message)};
    }
  }
};

/// Estimates of those that evaluate and fit, best first; equal ones in their order of coming.
std::vector<Estimate> ranked(const Scenario& scenario, std::vector<Result<Estimate>> results,
                             TooLarge& too_large) {
  std::vector<Estimate> list;
  for (Result<Estimate>& result : results) {
    if (!result) {
      continue;
    }
    if (const auto rejection = find_memory_rejection(scenario, *result)) {
      too_large.note(*result, *rejection);
    } else {
      list.push_back(*std::move(result));
    }
  }
  std::stable_sort(list.begin(), list.end(), [&](const Estimate& a, const Estimate& b) {
    return objective_value(scenario.objective, a) < objective_value(scenario.objective, b);
  });
  return list;
}

struct Refined {
  std::vector<Estimate> list;  ///< best first
  std::size_t num_asked = 0;
};

/// Strategies of `list`, best first, on a higher rung, `share` at a time, which orders them anew. The next
/// ones follow where none fits yet, as the rung below reserves too little, and where `to_the_end` and one of
/// them would be the best if the rung below were as far above what it is here as of none so far. Errors: the
/// first one, where none could be evaluated, or one could not for its size (kInfeasible): what the others
/// would take is not compared with it.
Result<Refined> refine(const Scenario& scenario, const std::vector<Estimate>& list, std::size_t share,
                       bool to_the_end, Fidelity fidelity, const Evaluator& evaluator, TooLarge& too_large) {
  const auto value = [&](const Estimate& estimate) { return objective_value(scenario.objective, estimate); };
  Refined refined;
  double least_ratio = 1;
  const auto goes_on = [&] {
    return refined.num_asked < list.size() &&
           (refined.list.empty() ||
            (to_the_end && value(list[refined.num_asked]) * least_ratio < value(refined.list.front())));
  };
  while (goes_on()) {
    const std::size_t begin = refined.num_asked, end = std::min(begin + share, list.size());
    std::vector<Strategy> strategies;
    for (std::size_t i = begin; i < end; ++i) {
      strategies.push_back(list[i].strategy);
    }
    std::vector<Result<Estimate>> results = evaluate_choosing(scenario, strategies, evaluator, fidelity);
    const auto too_costly = std::find_if(results.begin(), results.end(), [](const Result<Estimate>& result) {
      return !result && result.error().kind == ErrorKind::kInfeasible;
    });
    if (too_costly != results.end()) {
      return too_costly->error();
    }
    const bool all_failed = std::none_of(results.begin(), results.end(),
                                         [](const Result<Estimate>& result) { return result.has_value(); });
    if (all_failed && refined.list.empty()) {
      return results.front().error();
    }
    for (std::size_t i = begin; i < end; ++i) {
      const Result<Estimate>& result = results[i - begin];
      const bool told = result && value(list[i]) > 0 && result->strategy == list[i].strategy;
      least_ratio = told ? std::min(least_ratio, value(*result) / value(list[i])) : least_ratio;
    }
    refined.num_asked = end;
    const std::vector<Estimate> fitting = ranked(scenario, std::move(results), too_large);
    refined.list.insert(refined.list.end(), fitting.begin(), fitting.end());
    std::stable_sort(refined.list.begin(), refined.list.end(),
                     [&](const Estimate& a, const Estimate& b) { return value(a) < value(b); });
  }
  return refined;
}

std::vector<Estimate> pareto_front(const std::vector<Estimate>& ranking) {
  std::vector<Estimate> by_time = ranking;
  std::stable_sort(by_time.begin(), by_time.end(),
                   [](const Estimate& a, const Estimate& b) { return a.step_time < b.step_time; });
  std::vector<Estimate> front;
  for (const Estimate& estimate : by_time) {
    if (front.empty() || estimate.peak_memory < front.back().peak_memory) {
      front.push_back(estimate);
    }
  }
  return front;
}

/// Strategies that are simulated before it is looked at what is left.
constexpr std::size_t kShare = 16;
/// What is simulated may need more than the closed form sees: each attempt leaves so many times as much free
/// as was missing at first.
constexpr int kMostAttempts = 6;

/// What the closed form says of the shortlist, best first.
std::vector<Estimate> estimates_of(const Scenario& scenario, const Cluster& cluster,
                                   const std::vector<Contender>& contenders) {
  ClosedForm closed_form(scenario, cluster);
  std::vector<Estimate> list;
  for (const Contender& contender : contenders) {
    list.push_back(closed_form.evaluate(contender.strategy));
  }
  return list;
}

Error nothing_fits(const Scenario& scenario, const BoundedSearch& bounded) {
  if (bounded.all_alike && bounded.closest) {
    return infeasible(fmt::format("{}: {}", scenario.name, bounded.closest->message));
  }
  const std::string nearest =
      bounded.closest ? bounded.closest->message : "no combination of degrees makes up the GPUs";
  return infeasible(fmt::format("{}: no feasible strategy among {} candidates; closest: {}", scenario.name,
                                bounded.num_enumerated, nearest));
}

/// Whether none of the candidates that were not simulated with what is wrong with the cluster can be better
/// than `best`, as on the healthy cluster each is at least as far as the first of them by the closed form.
bool none_better(const Scenario& scenario, const BoundedSearch& bounded, const std::vector<Estimate>& list,
                 std::size_t num_simulated, const Estimate& best) {
  const auto dropped = [&](RejectReason reason) {
    return bounded.num_rejected[static_cast<std::size_t>(reason)];
  };
  const bool are_all = num_simulated == list.size() && dropped(RejectReason::kDominated) == 0 &&
                       dropped(RejectReason::kBound) == 0;
  const Estimate& next = list[std::min(num_simulated, list.size() - 1)];
  return are_all || objective_value(scenario.objective, best) <= objective_value(scenario.objective, next);
}

/// On a cluster with which something is wrong: more than are within a few per cent on the healthy one.
constexpr Shortlist kImpairedShortlist = {.fewest = 64, .most = 64};

}  // namespace

Result<SearchResult> search(const Scenario& scenario, const StrategyConstraints& constraints,
                            const SearchTools& tools, const SearchOptions& options) {
  PORTOLAN_CHECK_OK(check_nodes(tools.cluster, scenario.num_gpus));
  const bool impaired = !tools.cluster.is_healthy() && options.num_full > 0;
  const SearchSpace space(scenario, constraints, options.breadth);
  SearchResult result;
  std::vector<Estimate> list;
  Bytes spare, missing;
  for (int attempt = 1; list.empty(); ++attempt) {
    PORTOLAN_TRY(const BoundedSearch bounded,
                 branch_and_bound(scenario, tools.cluster, space,
                                  impaired ? kImpairedShortlist : options.shortlist, spare, tools.runner));
    result.num_enumerated = bounded.num_enumerated;
    result.num_rejected = bounded.num_rejected;
    result.num_evaluated = bounded.num_evaluated;
    list = estimates_of(scenario, tools.cluster, bounded.best);
    TooLarge too_large;
    if (list.empty()) {
      return nothing_fits(scenario, bounded);
    }
    if (options.simulates || impaired) {
      const std::vector<Estimate> looked_at(
          list.begin(),
          list.begin() + std::min(std::ssize(list), impaired ? kMostImpaired : std::ssize(list)));
      PORTOLAN_TRY(Refined refined,
                   refine(scenario, looked_at, impaired ? static_cast<std::size_t>(options.num_full) : kShare,
                          true, impaired ? Fidelity::kFull : Fidelity::kFolded, tools.evaluator, too_large));
      result.num_simulated += static_cast<std::int64_t>(refined.num_asked);
      if (impaired && !refined.list.empty()) {
        result.none_better = none_better(scenario, bounded, list, refined.num_asked, refined.list.front());
      }
      // What only the closed form has seen is not compared with what was simulated.
      result.num_rejected[static_cast<std::size_t>(RejectReason::kDominated)] +=
          static_cast<std::int64_t>(list.size() - refined.num_asked);
      list = std::move(refined.list);
    }
    result.num_rejected[static_cast<std::size_t>(RejectReason::kMemory)] += too_large.num;
    result.num_feasible =
        bounded.num_rejected[static_cast<std::size_t>(RejectReason::kDominated)] + std::ssize(list);
    if (list.empty()) {
      missing = attempt == 1 ? too_large.least_memory - scenario.hardware.device.memory.value : missing;
      spare += missing * attempt;
      if (attempt == kMostAttempts) {
        return infeasible(fmt::format("{}: no feasible strategy among {} candidates; closest: {}",
                                      scenario.name, result.num_enumerated, too_large.closest->message));
      }
    }
  }
  if (options.num_full > 0 && !impaired) {
    TooLarge too_large;
    const std::size_t num_full = std::min(static_cast<std::size_t>(options.num_full), list.size());
    Result<Refined> full =
        refine(scenario, list, num_full, false, Fidelity::kFull, tools.evaluator, too_large);
    if (full) {
      result.num_simulated += static_cast<std::int64_t>(full->num_asked);
      std::vector<Estimate> finalists = std::move(full->list);
      finalists.insert(finalists.end(),
                       std::make_move_iterator(list.begin() + static_cast<std::ptrdiff_t>(full->num_asked)),
                       std::make_move_iterator(list.end()));
      list = std::move(finalists);
      result.num_rejected[static_cast<std::size_t>(RejectReason::kMemory)] += too_large.num;
      result.num_feasible -= too_large.num;
    } else if (full.error().kind == ErrorKind::kInfeasible) {
      result.not_in_full = full.error().message;
    } else {
      return full.error();
    }
  }
  result.pareto = pareto_front(list);
  result.ranking = std::move(list);
  return result;
}

}  // namespace portolan
