#include <gtest/gtest.h>

#include "sample_hardware.h"
#include "topology/cluster.h"

namespace portolan {
namespace {

TEST(RingOrder, KeepsNodesTogetherAndAscends) {
  const Cluster cluster = Cluster::build(sample_hardware()).value();
  EXPECT_EQ(ring_order(cluster, {}), (std::vector<DeviceIndex>{}));
  EXPECT_EQ(ring_order(cluster, {9}), (std::vector<DeviceIndex>{9}));
  EXPECT_EQ(ring_order(cluster, {17, 0, 8, 1, 16, 9}), (std::vector<DeviceIndex>{0, 1, 8, 9, 16, 17}));
}

}  // namespace
}  // namespace portolan
