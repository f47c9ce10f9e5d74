#include "topology/node_list.h"

#include <gtest/gtest.h>

namespace portolan {
namespace {

TEST(NodeList, ReadsNumbersAndRangesInTheirOrder) {
  const struct {
    const char* text;
    NodeList nodes;
    const char* written;
  } kRows[] = {
      {"7", {7}, "7"},
      {"0-3", {0, 1, 2, 3}, "0-3"},
      {"0-2, 17 ,5-6", {0, 1, 2, 17, 5, 6}, "0-2,17,5-6"},
      {"3,2,1", {3, 2, 1}, "3,2,1"},
      {"4,5,6", {4, 5, 6}, "4-6"},
  };
  for (const auto& row : kRows) {
    const Result<NodeList> nodes = parse_node_list(row.text);
    ASSERT_TRUE(nodes) << row.text << ": " << nodes.error().message;
    EXPECT_EQ(*nodes, row.nodes) << row.text;
    EXPECT_EQ(format_node_list(*nodes), row.written);
  }
  EXPECT_EQ(format_node_list({}), "");
}

TEST(NodeList, SaysInOneLineWhatIsWrong) {
  const struct {
    const char* text;
    const char* message;
  } kRows[] = {
      {"", "\"\" is no node and no range of nodes (allowed: as in 0-5,17,40-63)"},
      {"1,,2", "\"\" is no node and no range of nodes (allowed: as in 0-5,17,40-63)"},
      {"3-1", "\"3-1\" is no node and no range of nodes (allowed: as in 0-5,17,40-63)"},
      {"-4", "\"-4\" is no node and no range of nodes (allowed: as in 0-5,17,40-63)"},
      {"node[1-3]", "\"node[1-3]\" is no node and no range of nodes (allowed: as in 0-5,17,40-63)"},
      {"99999999999", "\"99999999999\" is no node and no range of nodes (allowed: as in 0-5,17,40-63)"},
      {"0-5,3", "node 3 is named twice (allowed: each once)"},
      {"0-2000000000", "more than 1000000 nodes"},
  };
  for (const auto& row : kRows) {
    const Result<NodeList> nodes = parse_node_list(row.text);
    ASSERT_FALSE(nodes) << row.text;
    EXPECT_EQ(nodes.error().message, row.message);
  }
}

TEST(NodeList, BelongsToACluster) {
  EXPECT_EQ(find_node_problem({0, 3}, 4), "");
  EXPECT_EQ(find_node_problem({0, 4}, 4), "there is no node 4 (allowed: 0 to 3)");
  EXPECT_EQ(find_node_problem({2, 2}, 4), "node 2 is named twice (allowed: each once)");
  EXPECT_TRUE(are_first_nodes({0, 1, 2}));
  EXPECT_FALSE(are_first_nodes({0, 2, 1}));
}

}  // namespace
}  // namespace portolan
