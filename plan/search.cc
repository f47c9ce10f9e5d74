#include "plan/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "base/parse_quantity.h"
#include "plan/open_recompute.h"
#include "plan/rank_place.h"

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
  std::vector<Estimate> list;
  std::size_t num_asked = 0;
};

/// Evaluates the best `count` of `list` on a higher rung, which orders them anew; where none of them fits, as
/// the rung below reserves too little, the next ones. Errors: the first one, where none could be evaluated,
/// or one could not for its size (kInfeasible): what the others would take is not compared with it.
Result<Refined> refine(const Scenario& scenario, const std::vector<Estimate>& list, std::size_t count,
                       Fidelity fidelity, const Evaluator& evaluator, TooLarge& too_large) {
  Refined refined;
  while (refined.list.empty() && refined.num_asked < list.size()) {
    std::vector<Strategy> strategies;
    const std::size_t end = std::min(refined.num_asked + count, list.size());
    for (std::size_t i = refined.num_asked; i < end; ++i) {
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
    if (all_failed) {
      return results.front().error();
    }
    refined.num_asked = end;
    refined.list = ranked(scenario, std::move(results), too_large);
  }
  return refined;
}

/// Adds estimates of open candidates to `list`, which is ranked, as long as one may be among the best
/// `count`. Returns how many were left out as none could. Errors: the evaluator's first.
Result<std::int64_t> add_open(const Scenario& scenario, std::span<const Strategy> open,
                              const Evaluator& evaluator, std::size_t count, std::vector<Estimate>& list,
                              TooLarge& too_large) {
  const auto value = [&](const Estimate& estimate) { return objective_value(scenario.objective, estimate); };
  PORTOLAN_TRY(const std::vector<OpenCandidate> candidates, bounded_candidates(scenario, open, evaluator));
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (list.size() >= count && value(candidates[i].bound) >= value(list[count - 1])) {
      return static_cast<std::int64_t>(candidates.size() - i);
    }
    PORTOLAN_TRY(Estimate chosen,
                 std::move(evaluator(std::span(&candidates[i].strategy, 1), Fidelity::kClosedForm).front()));
    if (const auto rejection = find_memory_rejection(scenario, chosen)) {
      too_large.note(chosen, *rejection);
      continue;
    }
    const auto place = std::upper_bound(
        list.begin(), list.end(), chosen,
        [&](const Estimate& one, const Estimate& other) { return value(one) < value(other); });
    list.insert(place, std::move(chosen));
  }
  return 0;
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

}  // namespace

double objective_value(Objective objective, const Estimate& estimate) {
  switch (objective) {
    case Objective::kTime:
      return estimate.step_time.value;
    case Objective::kMemory:
      return static_cast<double>(estimate.peak_memory.value);
    case Objective::kEnergy:
      return estimate.energy.value;
    case Objective::kCost:
      return estimate.cost;
  }
  return 0;
}

namespace {

std::string shown_against(Bytes size, Bytes there) {
  return there.value >= kGibi / 10
             ? fmt::format("{:.1f} GiB", static_cast<double>(size.value) / static_cast<double>(kGibi))
             : format_bytes(size);
}

/// What the ranks of a node keep in its memory together, where the hardware file says how much there is.
std::optional<Rejection> find_host_memory_rejection(const Scenario& scenario, const Estimate& estimate) {
  const Bytes there = scenario.hardware.host_memory.value;
  const auto& memory = estimate.stage_memory;
  if (there.value == 0 ||
      std::all_of(memory.begin(), memory.end(), [](const StageMemory& m) { return m.host.value == 0; })) {
    return std::nullopt;
  }
  const Placement placement = placement_of(estimate.strategy);
  std::vector<Bytes> nodes(static_cast<std::size_t>(scenario.hardware.num_nodes));
  for (std::int32_t rank = 0; rank < estimate.strategy.num_ranks(); ++rank) {
    const std::int32_t stage = placement.coordinates_of(rank)[static_cast<std::size_t>(Axis::kPipeline)];
    nodes[static_cast<std::size_t>(rank / scenario.hardware.gpus_per_node)] +=
        memory[static_cast<std::size_t>(stage)].host;
  }
  const auto fullest = std::max_element(nodes.begin(), nodes.end());
  if (*fullest <= there) {
    return std::nullopt;
  }
  return Rejection{RejectReason::kMemory,
                   fmt::format("{} of host memory needed, {} there, node {}", shown_against(*fullest, there),
                               shown_against(there, there), fullest - nodes.begin())};
}

}  // namespace

std::optional<Rejection> find_memory_rejection(const Scenario& scenario, const Estimate& estimate) {
  const Bytes there = scenario.hardware.device.memory.value;
  if (estimate.peak_memory <= there) {
    return find_host_memory_rejection(scenario, estimate);
  }
  const auto& memory = estimate.stage_memory;
  const auto fullest = std::max_element(memory.begin(), memory.end(),
                                        [](const auto& a, const auto& b) { return a.reserved < b.reserved; });
  return Rejection{RejectReason::kMemory,
                   fmt::format("{} needed, {} there, stage {}", shown_against(fullest->reserved, there),
                               shown_against(there, there), fullest - memory.begin())};
}

Verdict judge(const Scenario& scenario, const Strategy& strategy, const Evaluator& evaluator,
              Fidelity fidelity) {
  Verdict verdict;
  verdict.rejection = find_rejection(scenario, strategy);
  if (verdict.rejection) {
    return verdict;
  }
  std::vector<Result<Estimate>> results =
      evaluate_choosing(scenario, std::span(&strategy, 1), evaluator, fidelity);
  if (!results.front()) {
    verdict.rejection = Rejection{RejectReason::kNotAvailable, results.front().error().message};
    return verdict;
  }
  verdict.estimate = *std::move(results.front());
  verdict.rejection = find_memory_rejection(scenario, *verdict.estimate);
  verdict.kind = verdict.rejection ? Verdict::Kind::kRejected : Verdict::Kind::kRanked;
  return verdict;
}

Result<SearchResult> search(const Scenario& scenario, const StrategyConstraints& constraints,
                            const Evaluator& evaluator, const SearchOptions& options) {
  SearchResult result;
  std::vector<Strategy> legal, open;
  const std::vector<Strategy> candidates = enumerate_strategies(scenario, constraints);
  result.num_enumerated = static_cast<std::int64_t>(candidates.size());
  const auto count = [&](Rejection rejection) {
    ++result.num_rejected[static_cast<std::size_t>(rejection.reason)];
    if (!result.closest || result.closest->reason <= rejection.reason) {
      result.closest = std::move(rejection);
    }
  };
  bool alike = true;  // all that is wrong with any of them is one thing
  for (const Strategy& candidate : candidates) {
    if (auto rejection = find_rejection(scenario, candidate)) {
      alike = alike && (!result.closest || rejection->message == result.closest->message);
      count(*std::move(rejection));
    } else {
      (candidate.recompute.is_open() ? open : legal).push_back(candidate);
    }
  }
  std::vector<Result<Estimate>> estimates = evaluator(legal, Fidelity::kClosedForm);
  for (const Result<Estimate>& estimate : estimates) {
    if (!estimate) {
      return estimate.error();
    }
  }
  TooLarge too_large;
  std::vector<Estimate> list = ranked(scenario, std::move(estimates), too_large);
  const auto most = static_cast<std::size_t>(std::max({options.num_folded, options.num_full, 1}));
  PORTOLAN_TRY(const std::int64_t num_beaten, add_open(scenario, open, evaluator, most, list, too_large));
  const std::int64_t num_legal = std::ssize(legal) + std::ssize(open);
  result.num_rejected[static_cast<std::size_t>(RejectReason::kDominated)] = num_beaten;
  const auto best = [&](std::int32_t wanted) {
    return std::min(static_cast<std::size_t>(std::max(wanted, 0)), list.size());
  };
  if (const std::size_t num_folded = best(options.num_folded); num_folded > 0) {
    PORTOLAN_TRY(Refined folded, refine(scenario, list, num_folded, Fidelity::kFolded, evaluator, too_large));
    // What only the closed form has seen is not compared with what was simulated.
    result.num_rejected[static_cast<std::size_t>(RejectReason::kDominated)] +=
        static_cast<std::int64_t>(list.size() - folded.num_asked);
    result.num_simulated += static_cast<std::int64_t>(folded.num_asked);
    list = std::move(folded.list);
  }
  if (const std::size_t num_full = best(options.num_full); num_full > 0) {
    Result<Refined> full = refine(scenario, list, num_full, Fidelity::kFull, evaluator, too_large);
    if (full) {
      result.num_simulated += static_cast<std::int64_t>(full->num_asked);
      std::vector<Estimate> finalists = std::move(full->list);
      finalists.insert(finalists.end(),
                       std::make_move_iterator(list.begin() + static_cast<std::ptrdiff_t>(full->num_asked)),
                       std::make_move_iterator(list.end()));
      list = std::move(finalists);
    } else if (full.error().kind == ErrorKind::kInfeasible) {
      result.not_in_full = full.error().message;
    } else {
      return full.error();
    }
  }
  result.num_rejected[static_cast<std::size_t>(RejectReason::kMemory)] = too_large.num;
  result.num_feasible = num_legal - num_beaten - too_large.num;
  if (too_large.closest) {
    result.closest = std::move(too_large.closest);
  }
  if (list.empty() && num_legal == 0 && alike && result.closest) {
    return infeasible(fmt::format("{}: {}", scenario.name, result.closest->message));
  }
  if (list.empty()) {
    const std::string nearest =
        result.closest ? result.closest->message : "no combination of degrees makes up the GPUs";
    return infeasible(fmt::format("{}: no feasible strategy among {} candidates; closest: {}", scenario.name,
                                  result.num_enumerated, nearest));
  }
  result.pareto = pareto_front(list);
  result.ranking = std::move(list);
  return result;
}

}  // namespace portolan
