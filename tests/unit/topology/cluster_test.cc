#include "topology/cluster.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

#include "sample_hardware.h"

namespace portolan {
namespace {

Cluster build(Hardware hardware) { return Cluster::build(std::move(hardware)).value(); }

std::set<std::string> expect_distinct_names(const Cluster& cluster) {
  std::set<std::string> names;
  for (LinkIndex link = 0; link < cluster.num_links(); ++link) {
    EXPECT_TRUE(names.insert(cluster.link_name(link)).second) << cluster.link_name(link);
  }
  return names;
}

TEST(Cluster, CountsVerticesOf512Gpus) {
  const Cluster cluster = build(sample_hardware());
  EXPECT_EQ(cluster.num_devices(), 512);
  EXPECT_EQ(cluster.num_vertices(VertexKind::kGpu), 512);
  EXPECT_EQ(cluster.num_vertices(VertexKind::kNvSwitch), 64);
  EXPECT_EQ(cluster.num_vertices(VertexKind::kHost), 64);
  EXPECT_EQ(cluster.num_vertices(VertexKind::kNic), 512);
  EXPECT_EQ(cluster.num_vertices(VertexKind::kLeafSwitch), 16);
  EXPECT_EQ(cluster.num_vertices(VertexKind::kSpineSwitch), 16);
  EXPECT_EQ(cluster.num_links(), 2'560);  // 2 x (512 + 512 + 16 x 16)
}

TEST(Cluster, HasNoFabricWithOneNode) {
  Hardware hardware = sample_hardware();
  hardware.num_nodes = 1;
  const Cluster cluster = build(hardware);
  EXPECT_EQ(cluster.num_vertices(VertexKind::kGpu), 8);
  EXPECT_EQ(cluster.num_vertices(VertexKind::kNic), 0);
  EXPECT_EQ(cluster.num_vertices(VertexKind::kLeafSwitch), 0);
  EXPECT_EQ(cluster.num_vertices(VertexKind::kSpineSwitch), 0);
  EXPECT_EQ(cluster.num_links(), 16);
}

TEST(Cluster, RoundsPodsUp) {
  Hardware hardware = sample_hardware();
  hardware.num_nodes = 65;
  EXPECT_EQ(build(hardware).num_vertices(VertexKind::kLeafSwitch), 24);
}

TEST(Cluster, NumbersDevicesByNode) {
  const Cluster cluster = build(sample_hardware());
  EXPECT_EQ(cluster.node_of(0), 0);
  EXPECT_EQ(cluster.node_of(7), 0);
  EXPECT_EQ(cluster.node_of(8), 1);
  EXPECT_EQ(cluster.node_of(511), 63);
  EXPECT_EQ(cluster.kind_of(511), VertexKind::kGpu);
  EXPECT_NE(cluster.kind_of(512), VertexKind::kGpu);
}

TEST(Cluster, NamesEachLinkOnce) {
  const Cluster cluster = build(sample_hardware());
  const std::set<std::string> names = expect_distinct_names(cluster);
  for (const char* name : {"node3.gpu5->nvswitch", "node3.nvswitch->gpu5", "node40.nic2->pod1.leaf2",
                           "pod1.leaf2->node40.nic2", "pod0.leaf7->spine15", "spine15->pod0.leaf7"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

TEST(Cluster, GivesLinksTheAchievableBandwidthOfTheirTier) {
  const Cluster cluster = build(sample_hardware());
  for (LinkIndex link = 0; link < cluster.num_links(); ++link) {
    const std::string name = cluster.link_name(link);
    if (name.find("nvswitch") != std::string::npos) {
      EXPECT_DOUBLE_EQ(cluster.bandwidth(link).value, 200e9);
      EXPECT_EQ(cluster.latency(link), Seconds(1e-6));
    } else if (name.find("spine") != std::string::npos) {
      EXPECT_DOUBLE_EQ(cluster.bandwidth(link).value, 40e9);
      EXPECT_EQ(cluster.latency(link), Seconds(4e-6));
    } else {
      EXPECT_DOUBLE_EQ(cluster.bandwidth(link).value, 20e9);
      EXPECT_EQ(cluster.latency(link), Seconds(2e-6));
    }
  }
}

TEST(Cluster, CountsAndNamesThreeTiers) {
  const Cluster cluster = build(three_tier_hardware());
  EXPECT_EQ(cluster.num_vertices(VertexKind::kLeafSwitch), 64);
  EXPECT_EQ(cluster.num_vertices(VertexKind::kSpineSwitch), 8);
  EXPECT_EQ(cluster.num_vertices(VertexKind::kCoreSwitch), 2);
  EXPECT_EQ(cluster.num_links(), 2'592);  // 2 x (512 + 512 + 64 x 4 + 8 x 2)
  const std::set<std::string> names = expect_distinct_names(cluster);
  for (const char* name : {"pod7.leaf3->group1.spine3", "group0.spine0->pod3.leaf7", "group1.spine3->core1",
                           "core0->group0.spine0"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

TEST(Cluster, AddsUpTheParallelLinksOfATrunk) {
  Hardware hardware = three_tier_hardware();
  hardware.links_per_trunk = 3;
  hardware.links_per_core_trunk = 2;
  const Cluster cluster = build(hardware);
  for (LinkIndex link = 0; link < cluster.num_links(); ++link) {
    const std::string name = cluster.link_name(link);
    if (name.find("core") != std::string::npos) {
      EXPECT_DOUBLE_EQ(cluster.bandwidth(link).value, 2 * 80e9);
      EXPECT_EQ(cluster.latency(link), Seconds(8e-6));
    } else if (name.find("spine") != std::string::npos) {
      EXPECT_DOUBLE_EQ(cluster.bandwidth(link).value, 3 * 40e9);
      EXPECT_EQ(cluster.latency(link), Seconds(4e-6));
    }
  }
}

TEST(Cluster, HasOneLeafAPodWithoutRails) {
  Hardware hardware = sample_hardware();
  hardware.rails = false;
  const Cluster cluster = build(hardware);
  EXPECT_EQ(cluster.num_vertices(VertexKind::kLeafSwitch), 2);
  EXPECT_EQ(cluster.num_links(), 2'112);  // 2 x (512 + 512 + 2 x 16)
}

TEST(Cluster, PutsAPcieSwitchBeforeEachCard) {
  Hardware hardware = sample_hardware();
  hardware.nics_per_node = 4;
  hardware.pcie = hardware.nic;
  const Cluster cluster = build(hardware);
  EXPECT_EQ(cluster.num_vertices(VertexKind::kPcieSwitch), 256);
  EXPECT_EQ(cluster.num_links(), 2'816);  // 2 x (512 + 256 + 8 x 16 + 512)
  EXPECT_EQ(cluster.link_name(cluster.host_route(13)->links.front()), "node1.gpu5->pcie2");
  EXPECT_EQ(cluster.link_name(cluster.route_from_host(13)->links.front()), "node1.pcie2->gpu5");
  EXPECT_EQ(cluster.host_route(13)->latency, Seconds(2e-6));
}

TEST(Cluster, ReachesTheHostOfOneNode) {
  Hardware hardware = sample_hardware();
  EXPECT_FALSE(build(hardware).host_route(0));
  hardware.num_nodes = 1;
  hardware.pcie = hardware.nic;
  const Cluster cluster = build(hardware);
  EXPECT_EQ(cluster.num_vertices(VertexKind::kPcieSwitch), 1);
  EXPECT_EQ(cluster.link_name(cluster.host_route(7)->links.front()), "node0.gpu7->pcie0");
}

TEST(Cluster, NumbersDevicesAlongTheNodesOfAJob) {
  Hardware hardware = sample_hardware();
  hardware.pcie = hardware.nic;
  const Cluster machine = build(hardware);
  const Cluster job = Cluster::build(hardware, {40, 3, 41}).value();
  EXPECT_EQ(job.num_devices(), 24);
  EXPECT_EQ(job.num_links(), machine.num_links());
  EXPECT_FALSE(job.is_regular());
  EXPECT_EQ(job.node_of(17), 2);
  EXPECT_EQ(job.machine_node(2), 41);
  // GPU 1 of the job's nodes 0 and 2, which share a pod; and of 1, in another.
  EXPECT_EQ(job.route(1, 17), machine.route(40 * 8 + 1, 41 * 8 + 1));
  EXPECT_EQ(job.links_between(9, 1), machine.links_between(3 * 8 + 1, 40 * 8 + 1));
  EXPECT_EQ(job.host_route(9), machine.host_route(3 * 8 + 1));
  EXPECT_EQ(job.route_from_host(9), machine.route_from_host(3 * 8 + 1));
}

TEST(Cluster, KnowsNothingToBeAlikeAmongNodesOfAJob) {
  const Cluster job = Cluster::build(sample_hardware(), {1, 0, 2, 3}).value();
  EXPECT_FALSE(job.is_alike_when_moved(0, 7, 8));
  EXPECT_FALSE(job.moved(0, 8));
  EXPECT_FALSE(job.alike_nodes());
  EXPECT_TRUE(job.rail_width());  // rails are alike wherever nodes are
}

TEST(Cluster, IsRegularWithItsFirstNodes) {
  EXPECT_TRUE(Cluster::build(sample_hardware(), {0, 1, 2}).value().is_regular());
}

TEST(Cluster, RefusesNodesThatItDoesNotHave) {
  EXPECT_EQ(Cluster::build(sample_hardware(), {0, 64}).error().message,
            "nodes: there is no node 64 (allowed: 0 to 63)");
}

TEST(Cluster, SurvivesAMove) {
  Cluster cluster = build(sample_hardware());
  const Cluster moved = std::move(cluster);
  EXPECT_EQ(moved.num_devices(), 512);
  EXPECT_EQ(moved.hardware(), sample_hardware());
}

}  // namespace
}  // namespace portolan
