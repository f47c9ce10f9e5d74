#include "plan/collectives/algorithms.h"
#include "plan/collectives/chains.h"

namespace portolan {

namespace {

/// Each ring leaves a node by the member before the one that it entered by, having passed all; where every
/// member begins a ring, which one leaves where makes no difference: each stays on its rail.
std::size_t exit_place(const NodeGroup& group, std::size_t node, std::size_t rail) {
  const std::size_t here = group.node(node).size();
  return here == group.num_rails() ? rail : (rail + here - 1) % here;
}

void add_between(const NodeGroup& group, std::size_t from, std::size_t to, double bytes,
                 std::vector<Flow>& flows) {
  const std::size_t rails = group.num_rails();
  for (std::size_t r = 0; r < rails; ++r) {
    flows.push_back({group.node(from)[exit_place(group, from, r)], group.node(to)[r],
                     bytes / static_cast<double>(rails)});
  }
}

/// From the first member along the ring to the last.
FlowSet broadcast(const NodeGroup& group, const Hardware& hardware, double bytes) {
  FlowSet set;
  add_whole_chain(group, 0, bytes, set.flows);
  for (std::size_t n = 1; n < group.num_nodes(); ++n) {
    add_between(group, n - 1, n, bytes, set.flows);
    add_chains(group, n, bytes, false, set.flows);
  }
  const auto inter_hops = static_cast<double>(group.num_nodes() - 1);
  const double intra_hops = static_cast<double>(group.num_members() - 1) - inter_hops;
  set.latency = hardware.intra_node_step.value * intra_hops + hardware.inter_node_step.value * inter_hops;
  return set;
}

}  // namespace

FlowSet ring_flows(const Cluster& cluster, const NodeGroup& group, CollectiveKind kind, Bytes payload) {
  const Hardware& hardware = cluster.hardware();
  if (kind == CollectiveKind::kBroadcast) {
    return broadcast(group, hardware, static_cast<double>(payload.value));
  }
  const auto n = static_cast<double>(group.num_members());
  const double turns = (kind == CollectiveKind::kAllReduce ? 2 : 1) * (n - 1) / n;
  const double edge_bytes = turns * static_cast<double>(payload.value);
  FlowSet set;
  if (group.num_nodes() == 1) {
    add_ring(group, 0, edge_bytes, set.flows);
  } else {
    group.for_each_of_ring([&](std::size_t node, std::size_t next, bool tells, bool hands_on) {
      if (tells) {
        add_chains(group, node, edge_bytes, false, set.flows);
      }
      if (hands_on) {
        add_between(group, node, next, edge_bytes, set.flows);
      }
    });
  }
  // One turn of the ring passes each hop once.
  const auto inter_hops = static_cast<double>(group.num_nodes() > 1 ? group.num_nodes() : 0);
  const double intra_hops = n - inter_hops;
  const Seconds turn =
      hardware.intra_node_step.value * intra_hops + hardware.inter_node_step.value * inter_hops;
  set.latency = turn * turns;
  return set;
}

}  // namespace portolan
