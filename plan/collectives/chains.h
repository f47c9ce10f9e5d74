#pragma once

#include <vector>

#include "plan/collectives/flow_set.h"
#include "plan/collectives/node_group.h"

namespace portolan {

// Parts of algorithms that pass a payload on within a node.

/// One chain for each rail r, begun by the member at place r and going round the node to the place before:
/// what enters a node on every rail, a share each, comes to all members. `bytes`: of all shares together.
/// Backwards where `reversed`: what leaves the node on every rail is gathered.
void add_chains(const NodeGroup& group, std::size_t node, double bytes, bool reversed,
                std::vector<Flow>& flows);

/// One chain from the first member to the last, each passing on all `bytes`.
void add_whole_chain(const NodeGroup& group, std::size_t node, double bytes, std::vector<Flow>& flows);

/// A ring of all members of the node, each sending `bytes`.
void add_ring(const NodeGroup& group, std::size_t node, double bytes, std::vector<Flow>& flows);

}  // namespace portolan
