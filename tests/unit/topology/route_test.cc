#include <gtest/gtest.h>

#include "sample_hardware.h"
#include "topology/cluster.h"

namespace portolan {
namespace {

/// "node0.gpu0->nvswitch node0.nvswitch->gpu1"
std::string names_of(const Cluster& cluster, const Route& route) {
  std::string names;
  for (const LinkIndex link : route.links) {
    names += (names.empty() ? "" : " ") + cluster.link_name(link);
  }
  return names;
}

struct Expected {
  DeviceIndex source;
  DeviceIndex destination;
  std::string names;
  double latency_us;
};

void expect_routes(const Cluster& cluster, const std::vector<Expected>& rows) {
  for (const Expected& row : rows) {
    SCOPED_TRACE(std::to_string(row.source) + " to " + std::to_string(row.destination));
    const Route route = cluster.route(row.source, row.destination);
    EXPECT_EQ(names_of(cluster, route), row.names);
    EXPECT_NEAR(route.latency.value * 1e6, row.latency_us, 1e-9);
  }
}

// Device = node * 8 + place. Nodes 0-31 are pod 0, nodes 32-63 pod 1. Latencies: NVLink 1, card 2, trunk 4
// us.
TEST(Route, FollowsTheRails) {
  const Cluster cluster = Cluster::build(sample_hardware()).value();
  expect_routes(
      cluster,
      {
          {5, 5, "", 0},
          {0, 1, "node0.gpu0->nvswitch node0.nvswitch->gpu1", 2},
          // same rail, same pod
          {3, 11, "node0.nic3->pod0.leaf3 pod0.leaf3->node1.nic3", 4},
          // other rail: over the NVSwitch to the GPU that owns it
          {3, 12, "node0.gpu3->nvswitch node0.nvswitch->gpu4 node0.nic4->pod0.leaf4 pod0.leaf4->node1.nic4",
           6},
          // other pod: node 50 takes spine 50 mod 16 = 2
          {3, 403, "node0.nic3->pod0.leaf3 pod0.leaf3->spine2 spine2->pod1.leaf3 pod1.leaf3->node50.nic3",
           12},
          {403, 3, "node50.nic3->pod1.leaf3 pod1.leaf3->spine0 spine0->pod0.leaf3 pod0.leaf3->node0.nic3",
           12},
          // other pod and other rail
          {0, 403,
           "node0.gpu0->nvswitch node0.nvswitch->gpu3 node0.nic3->pod0.leaf3 pod0.leaf3->spine2 "
           "spine2->pod1.leaf3 pod1.leaf3->node50.nic3",
           14},
      });
}

TEST(Route, SharesFewerCardsThanGpus) {
  Hardware hardware = sample_hardware();
  hardware.nics_per_node = 2;  // GPUs 0-3 on rail 0, GPUs 4-7 on rail 1
  const Cluster cluster = Cluster::build(hardware).value();
  expect_routes(
      cluster,
      {
          // one rail, though the places differ
          {0, 11, "node0.nic0->pod0.leaf0 pod0.leaf0->node1.nic0", 4},
          // of the four GPUs on rail 1, the one in the destination's place
          {0, 14, "node0.gpu0->nvswitch node0.nvswitch->gpu6 node0.nic1->pod0.leaf1 pod0.leaf1->node1.nic1",
           6},
      });
}

// Nodes 0-31 are group 0, nodes 32-63 group 1; 8 nodes a pod. Core trunks have 8 us.
TEST(Route, CrossesCoreSwitchesBetweenGroups) {
  const Cluster cluster = Cluster::build(three_tier_hardware()).value();
  expect_routes(
      cluster,
      {
          // pods 0 and 1 of group 0: node 9 takes spine 9 mod 4 = 1
          {3, 75,
           "node0.nic3->pod0.leaf3 pod0.leaf3->group0.spine1 group0.spine1->pod1.leaf3 "
           "pod1.leaf3->node9.nic3",
           12},
          // node 50, rail 3: spine 50 mod 4 = 2, core switch (50 / 4 x 8 + 3) mod 2 = 1
          {3, 403,
           "node0.nic3->pod0.leaf3 pod0.leaf3->group0.spine2 group0.spine2->core1 core1->group1.spine2 "
           "group1.spine2->pod6.leaf3 pod6.leaf3->node50.nic3",
           28},
      });
}

TEST(Route, KeepsToTheGpusCardsWithoutRails) {
  Hardware hardware = sample_hardware();
  hardware.rails = false;
  const Cluster cluster = Cluster::build(hardware).value();
  expect_routes(
      cluster,
      {
          {3, 12, "node0.nic3->pod0.leaf0 pod0.leaf0->node1.nic4", 4},
          // card 403 takes spine 403 mod 16 = 3
          {0, 403, "node0.nic0->pod0.leaf0 pod0.leaf0->spine3 spine3->pod1.leaf0 pod1.leaf0->node50.nic3",
           12},
      });
}

TEST(Route, CrossesPcieOfTheGpusBesideTheCards) {
  Hardware hardware = sample_hardware();
  hardware.nics_per_node = 2;
  hardware.pcie = hardware.trunk;  // 4 us
  const Cluster cluster = Cluster::build(hardware).value();
  expect_routes(
      cluster,
      {
          {0, 1, "node0.gpu0->nvswitch node0.nvswitch->gpu1", 2},
          {0, 11, "node0.gpu0->pcie0 node0.nic0->pod0.leaf0 pod0.leaf0->node1.nic0 node1.pcie0->gpu3", 12},
          {0, 14,
           "node0.gpu0->nvswitch node0.nvswitch->gpu6 node0.gpu6->pcie1 node0.nic1->pod0.leaf1 "
           "pod0.leaf1->node1.nic1 node1.pcie1->gpu6",
           14},
      });
}

TEST(Route, NeedsNoFabricInsideOneNode) {
  Hardware hardware = sample_hardware();
  hardware.num_nodes = 1;
  hardware.nics_per_node = 0;
  const Cluster cluster = Cluster::build(hardware).value();
  expect_routes(cluster, {{7, 0, "node0.gpu7->nvswitch node0.nvswitch->gpu0", 2}});
}

}  // namespace
}  // namespace portolan
