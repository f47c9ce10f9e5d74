#include "plan/collectives/node_group.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace portolan {

NodeGroup::NodeGroup(const Cluster& cluster, std::vector<DeviceIndex> members)
    : members_(ring_order(cluster, std::move(members))) {
  const std::int64_t gpus_per_node = cluster.hardware().gpus_per_node;
  std::int64_t end = -1;  // of the devices of a node
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i] >= end) {
      begins_.push_back(i);
      end = (cluster.node_of(members_[i]) + 1) * gpus_per_node;
    }
  }
  begins_.push_back(members_.size());
  num_members_ = members_.size();
  num_nodes_ = begins_.size() - 1;
  fewest_ = members_.size();
  for (std::size_t n = 0; n < num_nodes_; ++n) {
    most_ = std::max(most_, node(n).size());
    fewest_ = std::min(fewest_, node(n).size());
  }
}

NodeGroup::NodeGroup(const Cluster& cluster, const RingMembers& members, const ToldHops& hops) {
  const ToldHops::Ring ring = hops.ring_of(cluster.node_of(members.first.front()));
  num_nodes_ = static_cast<std::size_t>(ring.num_nodes());
  num_members_ = members.first.size() + (num_nodes_ - 2) * members.second.size() + members.last.size();
  std::tie(fewest_, most_) = std::minmax({members.first.size(), members.second.size(), members.last.size()});
  std::map<std::int64_t, Told> here;  // by index in the ring
  hops.for_each_candidate(ring, [&](std::int64_t index) {
    const std::int64_t node = ring.node_at(index);
    const std::int64_t next = index + 1 == ring.num_nodes() ? 0 : index + 1;
    here[index] = {hops.tells(node), hops.cross_what_tells(node, ring.node_at(next))};
    here.try_emplace(next);
  });
  for (const auto& [index, told] : here) {
    const bool is_last = index + 1 == ring.num_nodes();
    const std::vector<DeviceIndex>& like = index == 0 ? members.first
                                           : is_last  ? members.last
                                                      : members.second;
    const std::int64_t further = ring.node_at(index) - cluster.node_of(like.front());
    begins_.push_back(members_.size());
    told_.push_back(told);
    for (const DeviceIndex device : like) {
      members_.push_back(static_cast<DeviceIndex>(device + further * cluster.hardware().gpus_per_node));
    }
  }
  begins_.push_back(members_.size());
}

}  // namespace portolan
