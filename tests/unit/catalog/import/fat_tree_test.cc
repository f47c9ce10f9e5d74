#include "catalog/import/fat_tree.h"

#include <string>
#include <vector>

#include "tests/unit/catalog/import/fabric_text.h"
#include "tests/unit/catalog/import/fixtures.h"

namespace portolan {
namespace {

Result<FatTree> find(const std::string& text, const ComputeAdapters& compute = {}) {
  const auto fabric = read_ibnetdiscover(text, "fabric.txt");
  EXPECT_TRUE(fabric) << fabric.error().message;
  return find_fat_tree(*fabric, compute);
}

TEST(FatTree, FindsTheFixture) {
  const auto tree = find(fixture("fat-tree-ibnetdiscover.txt"));
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_EQ(tree->num_nodes, 4);
  EXPECT_EQ(tree->cards_per_node, 2);
  EXPECT_EQ(tree->card_rate, BytesPerSecond(25e9));
  EXPECT_EQ(tree->num_pods, 2);
  EXPECT_EQ(tree->nodes_per_pod, 2);
  EXPECT_EQ(tree->leaves_per_pod, 2);
  EXPECT_EQ(tree->cards_per_leaf(), 1);
  EXPECT_EQ(tree->spines, 2);
  EXPECT_EQ(tree->links_per_trunk, 2);
  EXPECT_EQ(tree->trunk_rate, BytesPerSecond(25e9));
  EXPECT_TRUE(tree->assumed.empty());
}

// Every small tree that Hardware describes is found again.
TEST(FatTree, FindsAllSmallTrees) {
  for (std::size_t nodes = 1; nodes <= 7; ++nodes) {
    for (std::size_t cards = 1; cards <= 3; ++cards) {
      for (std::size_t nodes_per_pod = 1; nodes_per_pod <= nodes; ++nodes_per_pod) {
        for (std::size_t spines = nodes_per_pod < nodes ? 1 : 0; spines <= 3; ++spines) {
          const TreeShape shape{.nodes = nodes,
                                .cards = cards,
                                .nodes_per_pod = nodes_per_pod,
                                .spines = spines,
                                .links_per_trunk = static_cast<int>(1 + nodes % 2)};
          const auto tree = find(rail_tree(shape).text());
          ASSERT_TRUE(tree) << tree.error().message;
          EXPECT_EQ(tree->num_nodes, static_cast<std::int64_t>(nodes));
          EXPECT_EQ(tree->cards_per_node, static_cast<std::int64_t>(cards));
          EXPECT_EQ(tree->nodes_per_pod, static_cast<std::int64_t>(nodes_per_pod));
          EXPECT_EQ(tree->num_pods, static_cast<std::int64_t>((nodes - 1) / nodes_per_pod + 1));
          EXPECT_EQ(tree->leaves_per_pod, tree->cards_per_node);
          EXPECT_EQ(tree->spines, static_cast<std::int64_t>(spines));
          EXPECT_EQ(tree->links_per_trunk, spines > 0 ? shape.links_per_trunk : 0);
          EXPECT_TRUE(tree->assumed.empty());
        }
      }
    }
  }
}

TEST(FatTree, SharesALeafSwitchBetweenRails) {
  FabricText fabric;
  for (const std::string node : {"a", "b", "c", "d"}) {
    const std::string leaf = node < "c" ? "leaf0" : "leaf1";
    fabric.join(node + " mlx5_0", leaf).join(node + " mlx5_1", leaf);
  }
  fabric.join("leaf0", "spine", "4xHDR", 4).join("leaf1", "spine", "4xHDR", 4);
  const auto tree = find(fabric.text());
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_EQ(tree->leaves_per_pod, 1);
  EXPECT_EQ(tree->cards_per_leaf(), 2);
  EXPECT_EQ(tree->assumed, (std::vector<std::string>{
                               "fabric.txt: 2 cards of each node are on one leaf switch: described as 2 leaf "
                               "switches, one a rail, which share its links to the spines"}));
}

TEST(FatTree, KeepsComputeNodesAndCards) {
  FabricText fabric = rail_tree({});
  fabric.join("storage1 mlx5_0", "leaf0.0").join("ufm mlx5_0", "spine0");
  for (const std::string node : {"node0", "node1", "node2", "node3"}) {
    fabric.join(node + " mlx5_5", "storage-leaf");
  }
  fabric.join("storage2 mlx5_0", "storage-leaf").join("storage-leaf", "spine1");
  const auto tree = find(fabric.text(), {.nodes = {{"node0", "node1", "node2", "node3"}},
                                         .nodes_file = "topology.conf",
                                         .cards = {"mlx5_0", "mlx5_1"}});
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_EQ(tree->num_nodes, 4);
  EXPECT_EQ(tree->cards_per_node, 2);
  EXPECT_EQ(tree->spines, 2);
  EXPECT_EQ(tree->assumed,
            (std::vector<std::string>{
                "fabric.txt: 3 hosts are not in topology.conf and were left out, storage1 among them",
                "fabric.txt: 4 cards are not among the 2 near the GPUs of a node and were left out",
                "fabric.txt: 1 switches that only hosts outside of the compute nodes use were left out, "
                "\"storage-leaf\" among them"}));
}

TEST(FatTree, TakesAFewSlowLinksForEqual) {
  FabricText fabric;
  for (int node = 0; node < 20; ++node) {
    fabric.join("n" + std::to_string(node) + " mlx5_0", "leaf", node == 7 ? "4xEDR" : "4xHDR");
  }
  const auto tree = find(fabric.text());
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_EQ(tree->card_rate, BytesPerSecond(25e9));
  EXPECT_EQ(tree->assumed,
            (std::vector<std::string>{"fabric.txt: 19 of 20 links of cards run at 4xHDR, others not "
                                      "(line 38: 4xEDR): taken for 4xHDR too"}));
}

TEST(FatTree, RefusesWhatHardwareCannotDescribe) {
  const auto pods_of = [](const std::vector<int>& sizes) {
    FabricText fabric;
    int node = 0;
    for (std::size_t pod = 0; pod < sizes.size(); ++pod) {
      const std::string leaf = "leaf" + std::to_string(pod);
      for (int i = 0; i < sizes[pod]; ++i) {
        fabric.join("n" + std::to_string(node++) + " mlx5_0", leaf);
      }
      fabric.join(leaf, "spine");
    }
    return fabric.text();
  };
  EXPECT_TRUE(find(pods_of({4, 2, 4})));
  const std::vector<Malformed> table = {
      {pods_of({4, 3, 3}),
       "fabric.txt: 1 of 3 pods have 4 nodes (that of leaf0), the others fewer, down to 3 (that of leaf2): "
       "uneven "
       "pods are not described yet (allowed: one smaller pod)"},
      {rail_tree({}).join("spine0", "core").text(),
       "fabric.txt: switch \"core\" joins neither hosts nor leaf switches: 1 switches beside 4 leaf and 2 "
       "spine "
       "switches, a third tier is not described yet"},
      {rail_tree({}).join("spine0", "spine1").text(),
       "fabric.txt: spine switch \"spine0\" is joined to another one, which is not described yet"},
      {rail_tree({.spines = 0}).text(),
       "fabric.txt: nothing joins the 2 pods (that of host node0 and others)"},
      {rail_tree({}).join("leaf0.0", "leaf1.0").text(),
       "fabric.txt: leaf switches \"leaf0.0\" and \"leaf1.0\" are joined (line 9), which is not described "
       "yet"},
      {rail_tree({}).join("leaf1.0", "spine1").text(),
       "fabric.txt: leaf switch \"leaf1.0\" has 2 links to spine \"spine1\", others have 1: uneven trunks "
       "are not "
       "described yet"},
      {rail_tree({}).join("leaf1.0", "spine2").text(),
       "fabric.txt: leaf switch \"leaf0.0\" has 0 links to spine \"spine2\", others have 1: uneven trunks "
       "are not "
       "described yet"},
      {rail_tree({}).join("node3 mlx5_2", "leaf1.0").text(),
       "fabric.txt: host node0 has 2 cards, host node3 has 3: nodes must be equal (allowed: --slurm FILE to "
       "name "
       "the compute nodes)"},
      {FabricText().join("a c0", "l0").join("a c1", "l1").join("b c0", "l1").join("b c1", "l0").text(),
       "fabric.txt: card c0 of host b (line 13) is on \"l1\", c0 of host a on \"l0\": cards of equal place "
       "must "
       "share a leaf switch"},
      {FabricText().join("a c0", "l0").join("a c1", "l1").join("b c0", "l0").join("b c1", "l2").text(),
       "fabric.txt: hosts a and b share leaf switch \"l0\" but not all of theirs: no pods can be told apart"},
      {FabricText().join("a c0", "l0").join("a c1", "l0").join("a c2", "l1").text(),
       "fabric.txt: host a has 2 of its 3 cards on \"l0\", one of 2 leaf switches: uneven"},
      {FabricText().join("a c0", "b c0").text(),
       "fabric.txt: \"a c0\" is joined to \"b c0\" without a switch, which is not described yet"},
      {FabricText().join("a c0", "l", "4xHDR").join("b c0", "l", "4xEDR").text(),
       "fabric.txt: 1 of 2 links of cards run at 4xEDR, others not (line 3: 4xHDR): links of different rates "
       "are not "
       "described yet"},
  };
  for (const Malformed& row : table) {
    const auto tree = find(row.text);
    EXPECT_EQ(error_of(tree), row.message);
    EXPECT_TRUE(!tree && tree.error().kind == ErrorKind::kInfeasible) << row.message;
  }
}

TEST(FatTree, RefusesNamelessHosts) {
  EXPECT_EQ(
      error_of(find(FabricText().join("MT4123 ConnectX6 Mellanox Technologies", "leaf").text())),
      "fabric.txt:2: \"MT4123 ConnectX6 Mellanox Technologies\" names no host (allowed: HOST DEVICE, such as "
      "\"node1 mlx5_0\")");
  EXPECT_EQ(error_of(find(FabricText().join("leaf", "spine").text())),
            "fabric.txt: names no host (allowed: lines of Ca with \"HOST DEVICE\")");
  EXPECT_EQ(error_of(find(rail_tree({}).text(),
                          {.nodes = {{"node0", "node9"}}, .nodes_file = "t.conf", .cards = {}})),
            "num_nodes: t.conf names node node9, fabric.txt has no adapter of it");
}

}  // namespace
}  // namespace portolan
