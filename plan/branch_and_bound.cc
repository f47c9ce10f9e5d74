#include "plan/branch_and_bound.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "base/bytes.h"
#include "plan/space_explorer.h"

namespace portolan {

namespace {

/// Branches whose bounds are one task.
constexpr std::size_t kBranchesATask = 64;
/// Groups that are explored before what is short enough is said anew: few at first, as they say most.
constexpr std::size_t kFirstRound = 2, kLargestRound = 16;

/// Nodes whose layers cost the same, the most promising first: one task, as their costs are worked out once.
using Group = std::vector<SpaceNode>;

// What tasks answer.

template <typename T>
void put_list(std::string& bytes, const std::vector<T>& list) {
  put_bytes(bytes, list.size());
  for (const T& value : list) {
    put_bytes(bytes, value);
  }
}
template <typename T>
std::vector<T> take_list(std::string_view& bytes) {
  std::vector<T> list(take_bytes<std::size_t>(bytes));
  for (T& value : list) {
    value = take_bytes<T>(bytes);
  }
  return list;
}

/// Those with the most promising nodes first; what a solver chooses, which takes longest, when it is known
/// what has to be beaten.
std::vector<Group> groups_of(const SearchSpace& space, std::vector<SpaceNode> nodes) {
  std::sort(nodes.begin(), nodes.end());
  using Key = std::tuple<bool, std::int32_t, std::int32_t, std::int32_t, std::int64_t, bool>;
  std::map<Key, std::size_t> places;
  std::vector<Group> groups;
  for (const SpaceNode& node : nodes) {
    const Strategy& s = space.stem(node.branch);
    const Key key(node.open, s.tensor_parallel, s.context_parallel, s.expert_parallel, s.microbatch_size,
                  s.sequence_parallel);
    const auto [place, is_new] = places.emplace(key, groups.size());
    if (is_new) {
      groups.emplace_back();
    }
    groups[place->second].push_back(node);
  }
  std::stable_sort(groups.begin(), groups.end(), [](const Group& one, const Group& other) {
    const auto key = [](const Group& group) { return std::pair(group.front().open, group.front().bound); };
    return key(one) < key(other);
  });
  return groups;
}

/// Why none is legal, from the plainest strategies of each pipeline and sharding: the reason that says most,
/// and whether it is the same of all.
void explain(const Scenario& scenario, const SearchSpace& space, BoundedSearch& result) {
  result.all_alike = true;
  for (std::size_t i = 0; i < space.num_branches(); ++i) {
    const SearchSpace::Branch branch = space.branch(i);
    for (const SearchSpace::Pipeline& pipeline : branch.pipelines) {
      Strategy s = space.strategy(branch, pipeline, pipeline.recomputes.front());
      for (const SearchSpace::Sharding& sharding : branch.shardings) {
        SearchSpace::put(sharding, sharding.aggregations.front(), s);
        const auto rejection = find_rejection(scenario, s);
        if (!rejection) {
          continue;
        }
        result.all_alike =
            result.all_alike && (!result.closest || rejection->message == result.closest->message);
        if (!result.closest || result.closest->reason <= rejection->reason) {
          result.closest = rejection;
        }
      }
    }
  }
}

}  // namespace

Result<std::vector<std::string>> run_here(int num_tasks, const std::function<std::string(int)>& task) {
  std::vector<std::string> answers;
  for (int i = 0; i < num_tasks; ++i) {
    answers.push_back(task(i));
  }
  return answers;
}

Result<BoundedSearch> branch_and_bound(const Scenario& scenario, const Cluster& cluster,
                                       const SearchSpace& space, const Shortlist& wanted, Bytes spare,
                                       const TaskRunner& runner) {
  SpaceExplorer explorer(scenario, cluster, space, wanted, spare);
  NodeOutcome outcome;
  std::vector<SpaceNode> nodes;
  BestPlaces quick(wanted);
  const std::size_t num_tasks = (space.num_branches() + kBranchesATask - 1) / kBranchesATask;
  PORTOLAN_TRY(const std::vector<std::string> bounds, runner(static_cast<int>(num_tasks), [&](int task) {
                 NodeOutcome rejected;
                 std::vector<SpaceNode> of_task;
                 std::vector<RankedPlace> completed;
                 const std::size_t begin = static_cast<std::size_t>(task) * kBranchesATask;
                 for (std::size_t i = begin; i < std::min(begin + kBranchesATask, space.num_branches());
                      ++i) {
                   explorer.bound(i, of_task, completed, rejected);
                 }
                 std::string bytes;
                 put_bytes(bytes, rejected);
                 put_list(bytes, of_task);
                 put_list(bytes, completed);
                 return bytes;
               }));
  for (std::string_view bytes : bounds) {
    outcome.add(take_bytes<NodeOutcome>(bytes));
    const std::vector<SpaceNode> of_task = take_list<SpaceNode>(bytes);
    nodes.insert(nodes.end(), of_task.begin(), of_task.end());
    for (const RankedPlace& found : take_list<RankedPlace>(bytes)) {
      quick.add(found);
    }
  }
  BestPlaces best(wanted);
  const std::vector<Group> groups = groups_of(space, std::move(nodes));
  for (std::size_t next = 0, size = kFirstRound; next < groups.size();
       size = std::min(size * 2, kLargestRound)) {
    const double limit = std::min(quick.limit(), best.limit());
    std::vector<Group> round;
    for (; next < groups.size() && round.size() < size; ++next) {
      Group promising = groups[next];
      const auto above = std::find_if(promising.begin(), promising.end(),
                                      [&](const SpaceNode& node) { return node.bound > limit; });
      for (auto node = above; node != promising.end(); ++node) {
        const SearchSpace::Branch branch = space.branch(node->branch);
        outcome.rejected(RejectReason::kBound) +=
            count_choices(branch.pipelines[node->pipeline], node->open) * branch.num_endings();
      }
      promising.erase(above, promising.end());
      if (!promising.empty()) {
        round.push_back(std::move(promising));
      }
    }
    if (round.empty()) {
      continue;
    }
    PORTOLAN_TRY(const std::vector<std::string> answers,
                 runner(static_cast<int>(round.size()), [&](int task) {
                   NodeOutcome of_task;
                   const std::vector<RankedPlace> found =
                       explorer.explore(round[static_cast<std::size_t>(task)], limit, of_task);
                   std::string bytes;
                   put_bytes(bytes, of_task);
                   put_list(bytes, found);
                   return bytes;
                 }));
    for (std::string_view bytes : answers) {
      outcome.add(take_bytes<NodeOutcome>(bytes));
      for (const RankedPlace& found : take_list<RankedPlace>(bytes)) {
        best.add(found);
      }
    }
  }

  BoundedSearch result;
  for (const RankedPlace& found : best.take()) {
    result.best.push_back({explorer.strategy(found.place), found.value});
  }
  const std::int64_t num_best = std::ssize(result.best);
  outcome.rejected(RejectReason::kDominated) = outcome.num_fitting - num_best;
  result.num_rejected = outcome.num_rejected;
  result.num_evaluated = outcome.num_evaluated;
  result.num_enumerated = num_best;
  for (const std::int64_t count : result.num_rejected) {
    result.num_enumerated += count;
  }
  if (num_best == 0 && outcome.rejected(RejectReason::kMemory) > 0) {
    const Strategy strategy = explorer.strategy(outcome.closest);
    if (std::optional<Rejection> rejection = explorer.memory_rejection(strategy)) {
      result.closest =
          Rejection{rejection->reason, fmt::format("{}: {}", short_name(strategy), rejection->message)};
    }
  } else if (num_best == 0) {
    explain(scenario, space, result);
  }
  return result;
}

}  // namespace portolan
