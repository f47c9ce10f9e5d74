#include "topology/condition.h"

#include <gtest/gtest.h>

#include <functional>

#include "sample_hardware.h"
#include "topology/cluster.h"

namespace portolan {
namespace {

using enum ImpairmentKind;

Cluster cluster_with(Hardware hardware, const Condition& condition) {
  hardware.condition = condition;
  return Cluster::build(hardware).value();
}

std::string names_between(const Cluster& cluster, DeviceIndex source, DeviceIndex destination) {
  std::string names;
  for (const LinkIndex link : cluster.links_between(source, destination)) {
    names += (names.empty() ? "" : " ") + cluster.link_name(link);
  }
  return names;
}

LinkIndex link_named(const Cluster& cluster, std::string_view name) {
  for (LinkIndex link = 0; link < cluster.num_links(); ++link) {
    if (cluster.link_name(link) == name) {
      return link;
    }
  }
  ADD_FAILURE() << name;
  return 0;
}

std::string problem_of(Hardware hardware, const Impairment& impairment) {
  hardware.condition = {impairment};
  const auto problem = find_problem(hardware);
  EXPECT_TRUE(!problem || problem->key.starts_with("condition"));
  return problem ? problem->message : "";
}

TEST(Condition, WordsAreThereAndBack) {
  for (const ImpairmentKind kind :
       {kSlowGpu, kSlowLink, kDeadLink, kFailedNic, kFailedNode, kCongestedSpine}) {
    EXPECT_EQ(find_impairment(impairment_word(kind)), kind);
  }
  EXPECT_FALSE(find_impairment("slow"));
  EXPECT_EQ(impairment_text({kSlowGpu, "node3.gpu5", 0.7}), "slow-gpu node3.gpu5 0.7");
  EXPECT_EQ(impairment_text({kFailedNic, "node3.nic2"}), "failed-nic node3.nic2");
}

TEST(Condition, SlowsGpusAndLinks) {
  const Cluster cluster = cluster_with(sample_hardware(), {{kSlowGpu, "node3.gpu5", 0.7},
                                                           {kSlowLink, "pod0.leaf1->spine2", 0.5},
                                                           {kSlowLink, "node1.nic0<->pod0.leaf0", 0.25},
                                                           {kCongestedSpine, "spine2", 0.5}});
  EXPECT_FALSE(cluster.is_healthy());
  EXPECT_EQ(cluster.speed(3 * 8 + 5), 0.7);
  EXPECT_EQ(cluster.speed(3 * 8 + 4), 1);
  const auto gigabytes = [&](std::string_view link) {
    return cluster.bandwidth(link_named(cluster, link)).value / 1e9;
  };
  // A trunk has 50 GB/s at 0.8, a card 25.
  EXPECT_EQ(gigabytes("pod0.leaf1->spine2"), 40 * 0.5 * 0.5);
  EXPECT_EQ(gigabytes("spine2->pod0.leaf1"), 40 * 0.5);
  EXPECT_EQ(gigabytes("pod1.leaf7->spine2"), 40 * 0.5);
  EXPECT_EQ(gigabytes("pod0.leaf1->spine3"), 40);
  EXPECT_EQ(gigabytes("node1.nic0->pod0.leaf0"), 20 * 0.25);
  EXPECT_EQ(gigabytes("pod0.leaf0->node1.nic0"), 20 * 0.25);
  // Slow links are still taken, and the healthy cluster has them whole.
  EXPECT_EQ(names_between(cluster, 0, 8), "node0.nic0->pod0.leaf0 pod0.leaf0->node1.nic0");
  EXPECT_EQ(cluster.healthy().bandwidth(link_named(cluster, "node1.nic0->pod0.leaf0")).value, 20e9);
  EXPECT_TRUE(cluster.healthy().is_healthy());
  EXPECT_TRUE(cluster.healthy().hardware().condition.empty());
}

TEST(Condition, OfWholeSharesIsHealth) {
  const Cluster cluster = cluster_with(sample_hardware(), {{kSlowGpu, "node3.gpu5", 1},
                                                           {kCongestedSpine, "spine2", 1},
                                                           {kSlowLink, "node1.nic0<->pod0.leaf0", 1}});
  EXPECT_TRUE(cluster.is_healthy());
  EXPECT_EQ(cluster.rail_width(), 1);
}

TEST(Condition, KnowsFailedNodes) {
  const Cluster cluster = cluster_with(sample_hardware(), {{kFailedNode, "node7"}});
  EXPECT_FALSE(cluster.is_usable(7));
  EXPECT_TRUE(cluster.is_usable(6));
  EXPECT_FALSE(cluster.is_healthy());
  EXPECT_EQ(cluster.rail_width(), 1);  // its links are as they were
}

TEST(Condition, TakesNothingToBeAlikeWhereLinksAreImpaired) {
  const Cluster slow_gpu = cluster_with(sample_hardware(), {{kSlowGpu, "node3.gpu5", 0.7}});
  EXPECT_TRUE(slow_gpu.is_alike_when_moved(0, 7, 8));
  const Cluster slow_link = cluster_with(sample_hardware(), {{kSlowLink, "node3.nic0->pod0.leaf0", 0.7}});
  EXPECT_FALSE(slow_link.is_alike_when_moved(0, 7, 8));
  EXPECT_TRUE(slow_link.is_alike_when_moved(0, 7, 0));
  EXPECT_FALSE(slow_link.rail_width());
  EXPECT_FALSE(slow_link.alike_nodes());
}

// The receiver's card is dead: the next rail, and over the NVSwitch at the end; the sender takes the GPU of
// that rail as ever.
TEST(Condition, ReachesAGpuByAnotherCardOfItsNode) {
  const Cluster cluster = cluster_with(sample_hardware(), {{kFailedNic, "node1.nic3"}});
  EXPECT_EQ(names_between(cluster, 3, 11),
            "node0.gpu3->nvswitch node0.nvswitch->gpu4 node0.nic4->pod0.leaf4 pod0.leaf4->node1.nic4 "
            "node1.gpu4->nvswitch node1.nvswitch->gpu3");
  EXPECT_EQ(names_between(cluster, 4, 11),
            "node0.nic4->pod0.leaf4 pod0.leaf4->node1.nic4 node1.gpu4->nvswitch node1.nvswitch->gpu3");
  // ... and what it sends goes by the destination's next rail as well.
  EXPECT_EQ(names_between(cluster, 11, 3),
            "node1.gpu3->nvswitch node1.nvswitch->gpu4 node1.nic4->pod0.leaf4 pod0.leaf4->node0.nic4 "
            "node0.gpu4->nvswitch node0.nvswitch->gpu3");
  EXPECT_EQ(names_between(cluster, 3, 19), "node0.nic3->pod0.leaf3 pod0.leaf3->node2.nic3");
}

TEST(Condition, SharesTheNextCardWithoutRails) {
  Hardware hardware = sample_hardware();
  hardware.rails = false;
  hardware.nics_per_node = 2;
  const Cluster cluster = cluster_with(hardware, {{kFailedNic, "node0.nic0"}});
  EXPECT_EQ(names_between(cluster, 1, 8 + 6),
            "node0.gpu1->nvswitch node0.nvswitch->gpu6 node0.nic1->pod0.leaf0 pod0.leaf0->node1.nic1");
  EXPECT_EQ(names_between(cluster, 8 + 6, 1),
            "node1.nic1->pod0.leaf0 pod0.leaf0->node0.nic1 node0.gpu5->nvswitch node0.nvswitch->gpu1");
}

// Node 50 takes spine 2: dead one way, the next one carries the payload there; the other way none is dead.
TEST(Condition, TakesTheNextLivingSpine) {
  const Cluster cluster =
      cluster_with(sample_hardware(), {{kDeadLink, "pod0.leaf3->spine2"}, {kDeadLink, "spine3->pod1.leaf3"}});
  EXPECT_EQ(names_between(cluster, 3, 403),
            "node0.nic3->pod0.leaf3 pod0.leaf3->spine4 spine4->pod1.leaf3 pod1.leaf3->node50.nic3");
  EXPECT_EQ(names_between(cluster, 403, 3),
            "node50.nic3->pod1.leaf3 pod1.leaf3->spine0 spine0->pod0.leaf3 pod0.leaf3->node0.nic3");
}

TEST(Condition, TakesTheNextLivingCoreSwitch) {
  const Hardware hardware = three_tier_hardware();
  const std::string healthy = names_between(Cluster::build(hardware).value(), 0, 32 * 8);
  ASSERT_NE(healthy.find("group0.spine0->core0"), std::string::npos) << healthy;
  const Cluster cluster = cluster_with(hardware, {{kDeadLink, "group0.spine0<->core0"}});
  const std::string detour = names_between(cluster, 0, 32 * 8);
  EXPECT_NE(detour.find("group0.spine0->core1 core1->group1.spine0"), std::string::npos) << detour;
}

TEST(Condition, SaysWhichLinksItDisturbs) {
  const Cluster slow = cluster_with(sample_hardware(), {{kSlowLink, "node3.gpu5->nvswitch", 0.5}});
  EXPECT_TRUE(slow.is_disturbed(link_named(slow, "node3.gpu5->nvswitch")));
  EXPECT_FALSE(slow.is_disturbed(link_named(slow, "node3.gpu4->nvswitch")));
  const Cluster dead = cluster_with(sample_hardware(), {{kFailedNic, "node3.nic5"}});
  EXPECT_FALSE(dead.is_disturbed(link_named(dead, "node3.gpu4->nvswitch")));
  EXPECT_TRUE(dead.is_disturbed(link_named(dead, "node2.nic5->pod0.leaf5")));
}

TEST(Condition, RefusesWhatTheClusterDoesNotHave) {
  struct Row {
    Impairment impairment;
    std::string message;
  };
  const std::string sizes = "(64 nodes of 8 GPUs and 8 network cards, 2 pods, 16 spines; such as ";
  const std::vector<Row> rows = {
      {{kSlowGpu, "node64.gpu0", 0.5},
       "slow-gpu node64.gpu0 0.5: the cluster has no such GPU " + sizes + "node0.gpu0)"},
      {{kFailedNic, "node3.nic8"},
       "failed-nic node3.nic8: the cluster has no such network card " + sizes + "node0.nic0)"},
      {{kFailedNode, "node03"}, "failed-node node03: the cluster has no such node " + sizes + "node0)"},
      {{kCongestedSpine, "spine16", 0.5},
       "congested-spine spine16 0.5: the cluster has no such spine " + sizes + "spine0)"},
      {{kSlowLink, "node3.gpu5", 0.5},
       "slow-link node3.gpu5 0.5: the cluster has no such link " + sizes + "node0.gpu0->nvswitch)"},
      {{kDeadLink, "node3.nic2->pod1.leaf2"},
       "dead-link node3.nic2->pod1.leaf2: the cluster has no such link " + sizes + "node0.gpu0->nvswitch)"},
      {{kSlowGpu, "node3.gpu5", 0},
       "slow-gpu node3.gpu5 0: a share of 0 is left (must be above 0, at most 1)"},
      {{kDeadLink, "node3.gpu5<->nvswitch"},
       "dead-link node3.gpu5<->nvswitch: a GPU has no other link there (allowed: slow-link, failed-node)"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(problem_of(sample_hardware(), row.impairment), row.message);
  }
  Hardware twice = sample_hardware();
  twice.condition = {{kSlowGpu, "node3.gpu5", 0.5}, {kSlowGpu, "node3.gpu5", 0.6}};
  EXPECT_EQ(find_problem(twice)->key, "condition[1]");
  EXPECT_EQ(find_problem(twice)->message, "slow-gpu node3.gpu5 0.6: is there twice (must be there once)");
}

TEST(Condition, RefusesMoreThanAnybodyWrites) {
  Hardware hardware = sample_hardware();
  for (int i = 0; i < 1001; ++i) {
    hardware.condition.push_back({kSlowGpu, "node0.gpu" + std::to_string(i), 0.5});
  }
  EXPECT_EQ(find_problem(hardware)->message,
            "1001 things that are wrong are not allowed (must be at most 1000)");
}

TEST(Condition, RefusesWhatNothingIsLeftOf) {
  Hardware hardware = sample_hardware();
  hardware.nics_per_node = 1;
  hardware.spines = 1;
  EXPECT_EQ(problem_of(hardware, {kFailedNic, "node3.nic0"}), "no way from node3 to node0 is left");
  EXPECT_EQ(problem_of(hardware, {kDeadLink, "pod0.leaf0->spine0"}), "no way from node0 to node32 is left");
  hardware.condition = {{kFailedNic, "node3.nic0"}, {kFailedNode, "node3"}};
  EXPECT_FALSE(find_problem(hardware));
  Hardware one = sample_hardware();
  one.num_nodes = 1;
  EXPECT_EQ(problem_of(one, {kFailedNode, "node0"}), "every node has failed (must leave at least 1)");
}

}  // namespace
}  // namespace portolan
