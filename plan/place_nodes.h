#pragma once

#include <vector>

#include "base/result.h"
#include "plan/link_contention.h"
#include "plan/program.h"
#include "plan/scenario.h"

namespace portolan {

/// An order of nodes for the ranks of a plan, and how long it keeps links busy in a step.
struct NodeOrder {
  NodeList nodes;  ///< as many as ranks fill
  LinkLoad load;

  bool operator==(const NodeOrder&) const = default;
};

struct PlaceNodesOptions {
  /// Changes of places that are tried, all starts together: about a second for 64 nodes.
  std::int64_t most_trials = 50'000;
};

/// Orders of the job's nodes for the ranks of `program`: the default one, which is the job's own, first; then
/// those that the links like better, best first, none twice. These are found by changing places of two nodes,
/// or of one and a spare one, as long as that lowers the load: from the default order, from what Scotch maps
/// the traffic between nodes to, and from orders drawn by a fixed seed. Nodes with slow GPUs are left to the
/// default order, where there are enough others. Errors: those of nodes_of_job and map_onto_tree.
Result<std::vector<NodeOrder>> place_nodes(const Scenario& scenario, const Program& program,
                                           const PlaceNodesOptions& options = {});

}  // namespace portolan
