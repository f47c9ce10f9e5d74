#include "plan/collectives/algorithms.h"
#include "plan/collectives/binary_tree.h"
#include "plan/collectives/chains.h"

namespace portolan {

namespace {

void add_edge(const NodeGroup& group, std::size_t from, std::size_t to, double bytes,
              std::vector<Flow>& flows) {
  const std::size_t rails = group.num_rails();
  for (std::size_t r = 0; r < rails; ++r) {
    flows.push_back({group.node(from)[r], group.node(to)[r], bytes / static_cast<double>(rails)});
  }
}

/// Calls `edge(child, parent)` for each edge of both trees over the nodes from `first` on; a tree's root has
/// no parent.
template <typename Edge>
void for_each_edge(const NodeGroup& group, std::size_t first, const Edge& edge) {
  const auto count = static_cast<std::int64_t>(group.num_nodes() - first);
  const auto node = [&](std::int64_t position) { return first + static_cast<std::size_t>(position); };
  for (std::int64_t position = 0; position < count; ++position) {
    const auto above = parent_in_order(position, count);
    edge(node(position), above ? std::optional(node(*above)) : std::nullopt);
    const auto second_above = parent_in_order(second_position(position, count), count);
    edge(node(position),
         second_above ? std::optional(node(first_position(*second_above, count))) : std::nullopt);
  }
}

FlowSet all_reduce(const NodeGroup& group, const Hardware& hardware, double bytes) {
  FlowSet set;
  for (std::size_t node = 0; node < group.num_nodes(); ++node) {
    add_chains(group, node, bytes, true, set.flows);
    add_chains(group, node, bytes, false, set.flows);
  }
  for_each_edge(group, 0, [&](std::size_t child, std::optional<std::size_t> parent) {
    if (parent) {
      add_edge(group, child, *parent, bytes / 2, set.flows);
      add_edge(group, *parent, child, bytes / 2, set.flows);
    }
  });
  const auto intra_hops = static_cast<double>(group.most_on_a_node() - 1);
  const auto inter_hops = static_cast<double>(depth_in_order(static_cast<std::int64_t>(group.num_nodes())));
  set.latency =
      (hardware.intra_node_step.value * intra_hops + hardware.inter_node_step.value * inter_hops) * 2.0;
  return set;
}

/// The first node feeds the roots of two trees over the others.
FlowSet broadcast_by_trees(const NodeGroup& group, const Hardware& hardware, double bytes) {
  FlowSet set;
  add_whole_chain(group, 0, bytes, set.flows);
  for (std::size_t node = 1; node < group.num_nodes(); ++node) {
    add_chains(group, node, bytes, false, set.flows);
  }
  for_each_edge(group, 1, [&](std::size_t child, std::optional<std::size_t> parent) {
    add_edge(group, parent.value_or(0), child, bytes / 2, set.flows);
  });
  const auto first_hops = static_cast<double>(group.node(0).size() - 1);
  set.latency = hardware.intra_node_step.value * first_hops;
  if (group.num_nodes() > 1) {
    const auto intra_hops = static_cast<double>(group.most_on_a_node() - 1);
    const auto below = static_cast<std::int64_t>(group.num_nodes() - 1);
    const auto inter_hops = static_cast<double>(1 + depth_in_order(below));
    set.latency += hardware.intra_node_step.value * intra_hops + hardware.inter_node_step.value * inter_hops;
  }
  return set;
}

}  // namespace

FlowSet tree_flows(const Cluster& cluster, const NodeGroup& group, CollectiveKind kind, Bytes payload) {
  const auto bytes = static_cast<double>(payload.value);
  return kind == CollectiveKind::kBroadcast ? broadcast_by_trees(group, cluster.hardware(), bytes)
                                            : all_reduce(group, cluster.hardware(), bytes);
}

}  // namespace portolan
