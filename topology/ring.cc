#include <algorithm>
#include <cassert>

#include "topology/cluster.h"

namespace portolan {

std::vector<DeviceIndex> ring_order(const Cluster& cluster, std::vector<DeviceIndex> members) {
  // A node's devices are consecutive indices, so that ascending order keeps nodes together.
  if (!std::is_sorted(members.begin(), members.end())) {
    std::sort(members.begin(), members.end());
  }
  assert(members.empty() || (members.front() >= 0 && members.back() < cluster.num_devices()));
  assert(std::adjacent_find(members.begin(), members.end()) == members.end());
  (void)cluster;
  return members;
}

}  // namespace portolan
