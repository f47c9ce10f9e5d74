#include "plan/tree_mapping.h"

#include <fmt/format.h>
#include <scotch.h>

#include <algorithm>
#include <cassert>
#include <cmath>

namespace portolan {

namespace {

constexpr SCOTCH_Num kScotchSeed = 1;
/// Scotch takes whole numbers: the largest of some figures becomes this.
constexpr double kLargestWeight = 10'000;

SCOTCH_Num whole_weight(double value, double largest) {
  return static_cast<SCOTCH_Num>(std::max(1.0, std::round(value / largest * kLargestWeight)));
}

Result<void> check_scotch(int code, const char* function) {
  return code == 0 ? Result<void>() : Error{ErrorKind::kDevice, fmt::format("Scotch: {} failed", function)};
}

/// The graph as Scotch has it: neighbours of each vertex, one after another. Scotch keeps pointers to these.
struct AdjacencyLists {
  std::vector<SCOTCH_Num> first_neighbour;
  std::vector<SCOTCH_Num> neighbours;
  std::vector<SCOTCH_Num> weights;

  explicit AdjacencyLists(const ProcessGraph& graph) {
    struct End {
      std::int32_t from, to;
      double bytes;
    };
    std::vector<End> ends;
    double largest = 0;
    for (const ProcessGraph::Edge& edge : graph.edges) {
      assert(edge.a < edge.b && edge.bytes > 0);
      ends.push_back({edge.a, edge.b, edge.bytes});
      ends.push_back({edge.b, edge.a, edge.bytes});
      largest = std::max(largest, edge.bytes);
    }
    std::sort(ends.begin(), ends.end(),
              [](const End& a, const End& b) { return a.from != b.from ? a.from < b.from : a.to < b.to; });
    auto next = ends.begin();
    for (std::int32_t process = 0; process < graph.num_processes; ++process) {
      first_neighbour.push_back(static_cast<SCOTCH_Num>(neighbours.size()));
      for (; next != ends.end() && next->from == process; ++next) {
        neighbours.push_back(next->to);
        weights.push_back(whole_weight(next->bytes, largest));
      }
    }
    first_neighbour.push_back(static_cast<SCOTCH_Num>(neighbours.size()));
  }
};

/// Scotch's objects for one mapping, freed with it. Each is initialised by its constructor, so that it can
/// be.
class ScotchMapping {
 public:
  ScotchMapping() {
    SCOTCH_contextInit(&context_);
    SCOTCH_graphInit(&graph_);
    SCOTCH_graphInit(&bound_);
    SCOTCH_archInit(&tree_);
    SCOTCH_archInit(&named_leaves_);
    SCOTCH_stratInit(&strategy_);
  }
  ScotchMapping(const ScotchMapping&) = delete;
  ScotchMapping& operator=(const ScotchMapping&) = delete;
  ~ScotchMapping() {
    SCOTCH_stratExit(&strategy_);
    SCOTCH_archExit(&named_leaves_);
    SCOTCH_archExit(&tree_);
    SCOTCH_graphExit(&bound_);
    SCOTCH_graphExit(&graph_);
    SCOTCH_contextExit(&context_);
  }

  Result<std::vector<SCOTCH_Num>> run(const AdjacencyLists& lists, const SwitchTree& tree) {
    PORTOLAN_CHECK_OK(set_context());
    PORTOLAN_CHECK_OK(set_machine(tree));
    const auto num_processes = static_cast<SCOTCH_Num>(lists.first_neighbour.size() - 1);
    PORTOLAN_CHECK_OK(
        check_scotch(SCOTCH_graphBuild(&graph_, 0, num_processes, lists.first_neighbour.data(), nullptr,
                                       nullptr, nullptr, static_cast<SCOTCH_Num>(lists.neighbours.size()),
                                       lists.neighbours.data(), lists.weights.data()),
                     "SCOTCH_graphBuild"));
    PORTOLAN_CHECK_OK(
        check_scotch(SCOTCH_contextBindGraph(&context_, &graph_, &bound_), "SCOTCH_contextBindGraph"));
    constexpr double kNoImbalance = 0;  // a process a leaf
    PORTOLAN_CHECK_OK(
        check_scotch(SCOTCH_stratGraphMapBuild(&strategy_, SCOTCH_STRATQUALITY | SCOTCH_STRATBALANCE,
                                               static_cast<SCOTCH_Num>(tree.leaves.size()), kNoImbalance),
                     "SCOTCH_stratGraphMapBuild"));
    std::vector<SCOTCH_Num> leaf_of_process(static_cast<std::size_t>(num_processes));
    PORTOLAN_CHECK_OK(check_scotch(
        SCOTCH_graphMap(&bound_, &named_leaves_, &strategy_, leaf_of_process.data()), "SCOTCH_graphMap"));
    return leaf_of_process;
  }

 private:
  /// The context is this mapping's own: nothing that the process did before matters, nor its environment.
  Result<void> set_context() {
    SCOTCH_contextRandomSeed(&context_, kScotchSeed);
    SCOTCH_contextRandomReset(&context_);
    PORTOLAN_CHECK_OK(
        check_scotch(SCOTCH_contextThreadSpawn(&context_, 1, nullptr), "SCOTCH_contextThreadSpawn"));
    return check_scotch(SCOTCH_contextOptionSetNum(&context_, SCOTCH_OPTIONNUMDETERMINISTIC, 1),
                        "SCOTCH_contextOptionSetNum");
  }

  Result<void> set_machine(const SwitchTree& tree) {
    double largest = 0;
    for (const SwitchTree::Tier& tier : tree.tiers) {
      largest = std::max(largest, tier.seconds_per_byte);
    }
    std::vector<SCOTCH_Num> branches, costs;
    for (const SwitchTree::Tier& tier : tree.tiers) {
      branches.push_back(tier.branches);
      costs.push_back(whole_weight(tier.seconds_per_byte, largest));
    }
    PORTOLAN_CHECK_OK(check_scotch(
        SCOTCH_archTleaf(&tree_, static_cast<SCOTCH_Num>(branches.size()), branches.data(), costs.data()),
        "SCOTCH_archTleaf"));
    const std::vector<SCOTCH_Num> leaves(tree.leaves.begin(), tree.leaves.end());
    return check_scotch(
        SCOTCH_archSub(&named_leaves_, &tree_, static_cast<SCOTCH_Num>(leaves.size()), leaves.data()),
        "SCOTCH_archSub");
  }

  SCOTCH_Context context_;
  SCOTCH_Graph graph_;
  SCOTCH_Graph bound_;  ///< graph_ in the context
  SCOTCH_Arch tree_;
  SCOTCH_Arch named_leaves_;
  SCOTCH_Strat strategy_;
};

/// Scotch balances weights, which need not keep processes apart: all but the first of a leaf get one that is
/// free.
std::vector<std::int32_t> apart(const std::vector<SCOTCH_Num>& leaf_of_process, std::size_t num_leaves) {
  std::vector<bool> taken(num_leaves);
  std::vector<std::int32_t> leaves(leaf_of_process.begin(), leaf_of_process.end());
  std::vector<std::size_t> moved;
  for (std::size_t process = 0; process < leaves.size(); ++process) {
    const auto leaf = static_cast<std::size_t>(leaves[process]);
    if (leaf >= num_leaves || taken[leaf]) {
      moved.push_back(process);
    } else {
      taken[leaf] = true;
    }
  }
  std::size_t free = 0;
  for (const std::size_t process : moved) {
    while (taken[free]) {
      ++free;
    }
    taken[free] = true;
    leaves[process] = static_cast<std::int32_t>(free);
  }
  return leaves;
}

}  // namespace

Result<std::vector<std::int32_t>> map_onto_tree(const ProcessGraph& graph, const SwitchTree& tree) {
  assert(graph.num_processes > 0 && !tree.tiers.empty());
  assert(std::ssize(tree.leaves) >= graph.num_processes);
  PORTOLAN_TRY(const std::vector<SCOTCH_Num> leaves, ScotchMapping().run(AdjacencyLists(graph), tree));
  return apart(leaves, tree.leaves.size());
}

}  // namespace portolan
