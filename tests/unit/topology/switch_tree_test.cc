#include "topology/switch_tree.h"

#include <gtest/gtest.h>

#include "sample_hardware.h"

namespace portolan {
namespace {

TEST(SwitchTree, HasATierForPodsAndOneForNodes) {
  // A pod's 8 leaves have 16 trunks of 40 GB/s each: 5,120 GB/s for 32 nodes. A node has 8 cards of 20 GB/s.
  const SwitchTree tree = switch_tree(sample_hardware(), {3, 40, 41});
  ASSERT_EQ(tree.tiers.size(), 2u);
  EXPECT_EQ(tree.tiers[0].branches, 2);
  EXPECT_DOUBLE_EQ(tree.tiers[0].seconds_per_byte, 32 / 5120e9);
  EXPECT_EQ(tree.tiers[1].branches, 32);
  EXPECT_DOUBLE_EQ(tree.tiers[1].seconds_per_byte, 1 / 160e9);
  EXPECT_EQ(tree.leaves, (std::vector<std::int32_t>{3, 40, 41}));
}

TEST(SwitchTree, HasATierForGroupsToo) {
  // A group's 4 spines have a trunk of 80 GB/s to each of 2 core switches: 640 GB/s for 32 nodes; a pod's 8
  // leaves 4 of 40 GB/s: 1,280 GB/s for 8 nodes.
  const SwitchTree tree = switch_tree(three_tier_hardware(), {0});
  ASSERT_EQ(tree.tiers.size(), 3u);
  EXPECT_EQ(tree.tiers[0].branches, 2);
  EXPECT_DOUBLE_EQ(tree.tiers[0].seconds_per_byte, 32 / 640e9);
  EXPECT_EQ(tree.tiers[1].branches, 4);
  EXPECT_DOUBLE_EQ(tree.tiers[1].seconds_per_byte, 8 / 1280e9);
  EXPECT_EQ(tree.tiers[2].branches, 8);
}

TEST(SwitchTree, LeavesOutWhatHasOneBranch) {
  Hardware one_pod = sample_hardware();
  one_pod.nodes_per_pod = 64;
  EXPECT_EQ(switch_tree(one_pod, {0, 1}).tiers.size(), 1u);
  Hardware one_node = sample_hardware();
  one_node.num_nodes = 1;
  EXPECT_TRUE(switch_tree(one_node, {0}).tiers.empty());
}

}  // namespace
}  // namespace portolan
