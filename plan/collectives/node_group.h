#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "plan/told_hops.h"
#include "topology/cluster.h"

namespace portolan {

/// Members of a collective by node. A place is a member's index among those of its node.
class NodeGroup {
 public:
  /// hops: those of what goes from node to node, where some tell for others. Precondition: members are
  /// distinct devices of `cluster`, at least one.
  NodeGroup(const Cluster& cluster, std::vector<DeviceIndex> members, const ToldHops* hops = nullptr);

  std::size_t num_members() const { return members_.size(); }
  std::size_t num_nodes() const { return begins_.size() - 1; }
  /// Nodes and members in ascending order.
  const std::vector<DeviceIndex>& members() const { return members_; }
  std::span<const DeviceIndex> node(std::size_t index) const {
    return std::span(members_).subspan(begins_[index], begins_[index + 1] - begins_[index]);
  }
  std::size_t most_on_a_node() const { return most_; }
  /// As many parts go between nodes side by side, so that each network card carries its share: part i from
  /// place i to place i, which are on one rail where each node has the same places.
  std::size_t num_rails() const { return fewest_; }
  bool is_even() const { return most_ == fewest_; }

  /// Calls `visit(node, next, tells, hands_on)` for each node, ascending, and the one after it, the first
  /// after the last: whether others do not tell of payloads within the node, and of those to the next one.
  /// Nodes of which others tell both can be left out.
  template <typename Visit>
  void for_each_of_ring(const Visit& visit) const;

 private:
  std::int64_t index_in_cluster(std::size_t node) const { return cluster_.node_of(members_[begins_[node]]); }

  std::size_t after(std::size_t node) const { return node + 1 == num_nodes() ? 0 : node + 1; }
  /// Nothing where none of its devices is a member.
  std::optional<std::size_t> find_node(std::int64_t index_in_cluster) const;

  const Cluster& cluster_;
  const ToldHops* hops_;
  std::vector<DeviceIndex> members_;
  std::vector<std::size_t> begins_;  ///< of each node in members_, and the end
  std::size_t most_ = 0;
  std::size_t fewest_ = 0;
};

template <typename Visit>
void NodeGroup::for_each_of_ring(const Visit& visit) const {
  if (hops_ == nullptr) {
    for (std::size_t node = 0; node < num_nodes(); ++node) {
      visit(node, after(node), true, true);
    }
    return;
  }
  hops_->for_each_candidate([&](std::int64_t index) {
    if (const std::optional<std::size_t> node = find_node(index)) {
      const std::size_t next = after(*node);
      visit(*node, next, hops_->tells(index), hops_->cross_what_tells(index, index_in_cluster(next)));
    }
  });
}

}  // namespace portolan
