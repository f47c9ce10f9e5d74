#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "small_clusters.h"

namespace portolan {
namespace {

/// The devices whose bit is set in `subset`, in descending order: the worst for a sort to find.
std::vector<DeviceIndex> members_of(unsigned subset) {
  std::vector<DeviceIndex> members;
  for (DeviceIndex device = 31; device >= 0; --device) {
    if ((subset >> device & 1U) != 0) {
      members.push_back(device);
    }
  }
  return members;
}

void expect_ring(const Cluster& cluster, const std::vector<DeviceIndex>& members) {
  const std::vector<DeviceIndex> ring = ring_order(cluster, members);
  ASSERT_TRUE(std::is_permutation(ring.begin(), ring.end(), members.begin(), members.end()));
  EXPECT_TRUE(std::is_sorted(ring.begin(), ring.end()));
  std::set<std::int64_t> nodes;
  std::size_t num_entries = 0;
  for (std::size_t i = 0; i < ring.size(); ++i) {
    const std::int64_t node = cluster.node_of(ring[i]);
    nodes.insert(node);
    num_entries += i == 0 || cluster.node_of(ring[i - 1]) != node ? 1U : 0U;
  }
  EXPECT_EQ(num_entries, nodes.size());  // a node that is left is not entered again
}

TEST(RingProperty, VisitsEachMemberOnceAndEachNodeInOneStretch) {
  for (const Hardware& hardware : small_hardware()) {
    const bool is_one_of_its_shape =
        hardware.nics_per_node == 1 && hardware.spines == 0 && hardware.rails && !hardware.pcie;
    if (!is_one_of_its_shape || hardware.num_gpus() > 12) {
      continue;
    }
    SCOPED_TRACE(describe(hardware));
    const Cluster cluster = Cluster::build(hardware).value();
    for (unsigned subset = 0; subset < 1U << hardware.num_gpus(); ++subset) {
      expect_ring(cluster, members_of(subset));
    }
  }
}

}  // namespace
}  // namespace portolan
