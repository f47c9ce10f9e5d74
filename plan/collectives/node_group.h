#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "topology/cluster.h"

namespace portolan {

/// Members of a collective by node. A place is a member's index among those of its node.
class NodeGroup {
 public:
  /// Precondition: members are distinct devices of `cluster`, at least one.
  NodeGroup(const Cluster& cluster, std::vector<DeviceIndex> members);

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

 private:
  std::vector<DeviceIndex> members_;
  std::vector<std::size_t> begins_;  ///< of each node in members_, and the end
  std::size_t most_ = 0;
  std::size_t fewest_ = 0;
};

}  // namespace portolan
