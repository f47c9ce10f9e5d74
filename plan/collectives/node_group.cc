#include "plan/collectives/node_group.h"

#include <algorithm>
#include <utility>

namespace portolan {

NodeGroup::NodeGroup(const Cluster& cluster, std::vector<DeviceIndex> members)
    : members_(ring_order(cluster, std::move(members))) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (i == 0 || cluster.node_of(members_[i]) != cluster.node_of(members_[i - 1])) {
      begins_.push_back(i);
    }
  }
  begins_.push_back(members_.size());
  fewest_ = members_.size();
  for (std::size_t n = 0; n < num_nodes(); ++n) {
    most_ = std::max(most_, node(n).size());
    fewest_ = std::min(fewest_, node(n).size());
  }
}

}  // namespace portolan
