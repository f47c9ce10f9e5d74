#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "topology/switch_tree.h"

namespace portolan {

/// Processes that send to each other.
struct ProcessGraph {
  struct Edge {
    std::int32_t a = 0;
    std::int32_t b = 0;
    double bytes = 0;  ///< both directions together, above 0
  };
  std::int32_t num_processes = 0;
  std::vector<Edge> edges;  ///< each pair at most once, a < b
};

/// Static mapping: a leaf of the tree for each process, as an index into `tree.leaves`, no leaf twice, such
/// that bytes times the cost of their ways are few. By Scotch (SCOTCH_graphMap onto a tree-leaf architecture
/// of which the leaves that are not named are cut away): a heuristic without a bound. The same input gives
/// the same mapping: its seed is fixed and it has one thread. Preconditions: as many leaves as processes, or
/// more; a tier. Errors (kDevice): Scotch refuses; the message names its function.
///
/// F. Pellegrini, "Scotch and libScotch 7.0 User's Guide", sections on SCOTCH_archTleaf, SCOTCH_archSub.
Result<std::vector<std::int32_t>> map_onto_tree(const ProcessGraph& graph, const SwitchTree& tree);

}  // namespace portolan
