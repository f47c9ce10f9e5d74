#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "plan/collectives/binary_tree.h"

namespace portolan {
namespace {

constexpr std::int64_t kMaxNodes = 200;

/// Parent of each node, counted from 0, in one of the two trees; -1 for the root.
std::vector<std::int64_t> parents(std::int64_t count, bool second) {
  std::vector<std::int64_t> list;
  for (std::int64_t node = 0; node < count; ++node) {
    const auto above = parent_in_order(second ? second_position(node, count) : node, count);
    list.push_back(!above ? -1 : second ? first_position(*above, count) : *above);
  }
  return list;
}

std::vector<int> numbers_of_children(const std::vector<std::int64_t>& parents) {
  std::vector<int> children(parents.size());
  for (const std::int64_t parent : parents) {
    if (parent >= 0) {
      ++children[static_cast<std::size_t>(parent)];
    }
  }
  return children;
}

TEST(BinaryTreeProperty, EachNodeReachesTheOneRootInLogarithmicallyManyHops) {
  for (std::int64_t count = 1; count <= kMaxNodes; ++count) {
    const auto most_hops = static_cast<std::int64_t>(std::bit_width(static_cast<std::uint64_t>(count))) - 1;
    std::int64_t deepest = 0;
    for (const bool second : {false, true}) {
      const std::vector<std::int64_t> up = parents(count, second);
      EXPECT_EQ(std::count(up.begin(), up.end(), -1), 1) << count;
      for (std::int64_t node = 0; node < count; ++node) {
        std::int64_t hops = 0;
        for (std::int64_t at = node; up[static_cast<std::size_t>(at)] != -1 && hops <= count; ++hops) {
          at = up[static_cast<std::size_t>(at)];
        }
        EXPECT_LE(hops, most_hops) << node << " of " << count;
        deepest = std::max(deepest, hops);
      }
    }
    EXPECT_EQ(depth_in_order(count), deepest);
  }
}

// What makes the pair of trees use each link both ways (Sanders, Speck and Traeff 2009, section 3).
TEST(BinaryTreeProperty, EachNodeIsALeafOfOneTreeAndHasAtMostTwoChildrenInAll) {
  for (std::int64_t count = 1; count <= kMaxNodes; ++count) {
    const std::vector<int> first = numbers_of_children(parents(count, false));
    const std::vector<int> second = numbers_of_children(parents(count, true));
    for (std::size_t node = 0; node < first.size(); ++node) {
      EXPECT_TRUE(first[node] == 0 || second[node] == 0) << node << " of " << count;
      EXPECT_LE(first[node] + second[node], 2) << node << " of " << count;
    }
  }
}

TEST(BinaryTreeProperty, PositionsAreFoundBack) {
  for (std::int64_t count = 1; count <= kMaxNodes; ++count) {
    for (std::int64_t node = 0; node < count; ++node) {
      EXPECT_EQ(first_position(second_position(node, count), count), node);
    }
  }
}

}  // namespace
}  // namespace portolan
