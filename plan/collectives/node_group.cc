#include "plan/collectives/node_group.h"

#include <algorithm>
#include <utility>

namespace portolan {

NodeGroup::NodeGroup(const Cluster& cluster, std::vector<DeviceIndex> members, const ToldHops* hops)
    : cluster_(cluster), hops_(hops), members_(ring_order(cluster, std::move(members))) {
  const std::int64_t gpus_per_node = cluster.hardware().gpus_per_node;
  std::int64_t end = -1;  // of the devices of a node
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i] >= end) {
      begins_.push_back(i);
      end = (cluster.node_of(members_[i]) + 1) * gpus_per_node;
    }
  }
  begins_.push_back(members_.size());
  fewest_ = members_.size();
  for (std::size_t n = 0; n < num_nodes(); ++n) {
    most_ = std::max(most_, node(n).size());
    fewest_ = std::min(fewest_, node(n).size());
  }
}

std::optional<std::size_t> NodeGroup::find_node(std::int64_t index_in_cluster) const {
  const std::int64_t first = index_in_cluster * cluster_.hardware().gpus_per_node;
  const auto found = std::partition_point(begins_.begin(), begins_.end() - 1,
                                          [&](std::size_t begin) { return members_[begin] < first; });
  const auto node = static_cast<std::size_t>(found - begins_.begin());
  return node < num_nodes() && this->index_in_cluster(node) == index_in_cluster ? std::optional(node)
                                                                                : std::nullopt;
}

}  // namespace portolan
