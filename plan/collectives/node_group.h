#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "plan/told_hops.h"
#include "topology/cluster.h"

namespace portolan {

/// Members of a ring, ascending: on its first node, on the one behind it, and on the last; all between have
/// the same places as the second.
struct RingMembers {
  std::vector<DeviceIndex> first;
  std::vector<DeviceIndex> second;
  std::vector<DeviceIndex> last;
};

/// Members of a collective by node. A place is a member's index among those of its node.
class NodeGroup {
 public:
  /// Precondition: members are distinct devices of `cluster`, at least one.
  NodeGroup(const Cluster& cluster, std::vector<DeviceIndex> members);
  /// Of a ring over nodes of `hops`: without nodes of which others tell.
  NodeGroup(const Cluster& cluster, const RingMembers& members, const ToldHops& hops);

  /// All, also those that are left out.
  std::size_t num_members() const { return num_members_; }
  std::size_t num_nodes() const { return num_nodes_; }
  /// Nodes and members in ascending order, without those that are left out.
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
  template <typename Visit>
  void for_each_of_ring(const Visit& visit) const {
    const std::size_t num_here = begins_.size() - 1;
    for (std::size_t node = 0; node < num_here; ++node) {
      const Told told = told_.empty() ? Told{true, true} : told_[node];
      if (told.tells || told.hands_on) {
        visit(node, node + 1 == num_here ? 0 : node + 1, told.tells, told.hands_on);
      }
    }
  }

 private:
  struct Told {
    bool tells = false;
    bool hands_on = false;
  };

  std::vector<DeviceIndex> members_;
  std::vector<std::size_t> begins_;  ///< of each node in members_, and the end
  std::vector<Told> told_;           ///< by node; empty: all for themselves
  std::size_t num_members_ = 0;
  std::size_t num_nodes_ = 0;
  std::size_t most_ = 0;
  std::size_t fewest_ = 0;
};

}  // namespace portolan
