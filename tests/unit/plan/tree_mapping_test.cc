#include "plan/tree_mapping.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace portolan {
namespace {

/// Two pods of four nodes, a second's way apart each, a tenth within.
SwitchTree two_pods_of_four(std::vector<std::int32_t> leaves) {
  return {.tiers = {{.branches = 2, .seconds_per_byte = 1}, {.branches = 4, .seconds_per_byte = 0.1}},
          .leaves = std::move(leaves)};
}

/// Four processes that all send to each other, and four more, in turn: 0, 2, 4, 6 and 1, 3, 5, 7.
ProcessGraph two_cliques() {
  ProcessGraph graph{.num_processes = 8, .edges = {}};
  for (std::int32_t a = 0; a < 8; ++a) {
    for (std::int32_t b = a + 2; b < 8; b += 2) {
      graph.edges.push_back({.a = a, .b = b, .bytes = 1e9});
    }
  }
  return graph;
}

TEST(TreeMapping, KeepsTogetherWhatSendsToEachOther) {
  const std::vector<std::int32_t> leaves =
      map_onto_tree(two_cliques(), two_pods_of_four({0, 1, 2, 3, 4, 5, 6, 7})).value();
  ASSERT_EQ(leaves.size(), 8u);
  for (std::size_t process = 2; process < 8; ++process) {
    EXPECT_EQ(leaves[process] / 4, leaves[process % 2] / 4) << process;
  }
  EXPECT_NE(leaves[0] / 4, leaves[1] / 4);
}

TEST(TreeMapping, GivesEachProcessALeafOfItsOwn) {
  // Three leaves of one pod and six of another, for eight processes.
  SwitchTree tree = two_pods_of_four({});
  tree.tiers[1].branches = 8;
  tree.leaves = {0, 3, 5, 8, 9, 10, 12, 14, 15};
  std::vector<std::int32_t> places = map_onto_tree(two_cliques(), tree).value();
  std::sort(places.begin(), places.end());
  EXPECT_EQ(std::adjacent_find(places.begin(), places.end()), places.end());
  EXPECT_GE(places.front(), 0);
  EXPECT_LT(places.back(), 9);
}

TEST(TreeMapping, IsTheSameEachTime) {
  const SwitchTree tree = two_pods_of_four({0, 1, 2, 3, 4, 5, 6, 7});
  const std::vector<std::int32_t> first = map_onto_tree(two_cliques(), tree).value();
  ASSERT_TRUE(map_onto_tree({.num_processes = 2, .edges = {{.a = 0, .b = 1, .bytes = 7}}}, tree));
  EXPECT_EQ(map_onto_tree(two_cliques(), tree).value(), first);
}

}  // namespace
}  // namespace portolan
