#include <string>
#include <vector>

#include "catalog/import/infiniband_fabric.h"
#include "tests/unit/catalog/import/fixtures.h"

namespace portolan {
namespace {

Result<InfinibandFabric> read_fabric(const std::string& text) {
  return read_ibnetdiscover(text, "fabric.txt");
}

TEST(Ibnetdiscover, ReadsASmallFatTree) {
  const auto fabric = read_fabric(fixture("fat-tree-ibnetdiscover.txt"));
  ASSERT_TRUE(fabric) << fabric.error().message;
  ASSERT_EQ(fabric->devices.size(), 15U);  // 4 leaf and 2 spine switches, 8 adapters, 1 aggregation unit
  const InfinibandDevice& leaf = fabric->devices[0];
  EXPECT_EQ(leaf.kind, InfinibandKind::kSwitch);
  EXPECT_EQ(leaf.description, "MF0;leaf0:MQM8700/U1");
  ASSERT_EQ(leaf.ports.size(), 6U);
  EXPECT_EQ(leaf.ports[0].number, 1);
  EXPECT_EQ(fabric->devices[leaf.ports[0].peer].description, "node0 mlx5_0");
  EXPECT_EQ(leaf.ports[0].rate_word, "4xHDR");
  EXPECT_EQ(leaf.ports[0].rate, BytesPerSecond(25e9));
  EXPECT_EQ(leaf.ports[2].number, 21);
  EXPECT_EQ(fabric->devices[leaf.ports[2].peer].description, "MF0;spine0:MQM8700/U1");
  EXPECT_EQ(fabric->devices[6].kind, InfinibandKind::kAdapter);
}

// Headings of groups, plugs of chassis and routers belong to the format too.
TEST(Ibnetdiscover, ReadsGroupsAndRouters) {
  const auto fabric = read_fabric(
      "Chassis 1 (guid 0x8f1) \nvendid=0x8f1\n\nSwitch\t24 \"S-1\"\t\t# \"ISR\" base port 0 lid 6 lmc 0\n"
      "[22][ext 5]\t\"R-2\"[1](8f1)\t\t# \"router\" lid 4 12xEDR\nNon-Chassis Nodes\nrtguid=0x2\n"
      "Rt\t2 \"R-2\"\t\t# \"router\"\n[1](8f1) \t\"S-1\"[22]\t\t# lid 4 lmc 0 \"ISR\" lid 6 12xEDR\n");
  ASSERT_TRUE(fabric) << fabric.error().message;
  EXPECT_EQ(fabric->devices[1].kind, InfinibandKind::kRouter);
  EXPECT_EQ(fabric->devices[0].ports[0].rate, BytesPerSecond(37.5e9));
}

TEST(Ibnetdiscover, RefusesMalformedInput) {
  const std::string leaf =
      "Switch 40 \"S-1\" # \"leaf\" base\n[1] \"H-2\"[1](2) # \"n mlx5_0\" lid 1 4xHDR\n";
  const std::string card =
      "Ca 1 \"H-2\" # \"n mlx5_0\"\n[1](2) \"S-1\"[1] # lid 1 lmc 0 \"leaf\" lid 2 4xHDR\n";
  ASSERT_TRUE(read_fabric(leaf + card));
  const std::string form = "(allowed: such as Ca 1 \"H-0002c903000e0b72\" # \"node1 mlx5_0\")";
  const std::string port_form = "(allowed: such as [1] \"S-0002c902004b0f80\"[7] # ... 4xHDR)";
  const std::string rates =
      "(allowed: 1x, 2x, 4x, 8x, 12x with SDR, DDR, QDR, FDR10, FDR, EDR, HDR, NDR, XDR)";
  const std::vector<Malformed> table = {
      {"", "fabric.txt: names no switch and no adapter"},
      {std::string("a\0", 2), "fabric.txt:1: is not text: byte 0x00 (allowed: UTF-8)"},
      {"hello\n",
       "fabric.txt:1: \"hello\" is not known (allowed: what ibnetdiscover prints: lines of Switch, Ca, Rt, "
       "[PORT])"},
      {"Switch\n", "fabric.txt:1: \"Switch\" is not a device " + form},
      {"Switch 40\n", "fabric.txt:1: \"Switch 40\" is not a device " + form},
      {"Switch many \"S-1\"\n", "fabric.txt:1: \"Switch many \"S-1\"\" is not a device " + form},
      {"Switch 40 \"S-1\n", "fabric.txt:1: \"Switch 40 \"S-1\" is not a device " + form},
      {leaf + card + leaf, "fabric.txt:5: \"S-1\" is there twice (first in line 1)"},
      {"[1] \"S-1\"[1] # 4xHDR\n", "fabric.txt:1: a port before the first device"},
      {with(leaf, "[1] ", "[x] ") + card,
       "fabric.txt:2: \"[x] \"H-2\"[1](2) # \"n mlx5_0\" lid 1 4xHDR\" is not a port " + port_form},
      {with(leaf, "[1] ", "[256] ") + card,
       "fabric.txt:2: \"[256] \"H-2\"[1](2) # \"n mlx5_0\" lid 1 4xHDR\" is not a port " + port_form},
      {"Switch 40 \"S-1\"\n[1][ext 5\n", "fabric.txt:2: \"[1][ext 5\" is not a port " + port_form},
      {with(leaf, "\"H-2\"", "H-2") + card,
       "fabric.txt:2: \"[1] H-2[1](2) # \"n mlx5_0\" lid 1 4xHDR\" is not a port " + port_form},
      {with(leaf, "4xHDR", "") + card, "fabric.txt:2: port 1 has no width and speed " + rates},
      {with(leaf, "4xHDR", "5xHDR") + card, "fabric.txt:2: port 1 has no width and speed " + rates},
      {with(leaf, "lid 1 4xHDR", "") + card, "fabric.txt:2: port 1 has no width and speed " + rates},
      {leaf, "fabric.txt:2: \"H-2\" is described nowhere"},
      {leaf + "[1] \"H-2\"[1] # 4xHDR\n" + card, "fabric.txt:3: port 1 is there twice"},
      {leaf + with(card, "[1] #", "[2] #"),
       "fabric.txt:2: port 1 leads to \"H-2\" port 1, which does not lead back"},
      {leaf + with(card, "4xHDR", "4xEDR"),
       "fabric.txt:2: port 1 runs at 4xHDR, its other end in line 4 at 4xEDR"},
  };
  for (const Malformed& row : table) {
    EXPECT_EQ(error_of(read_fabric(row.text)), row.message);
  }
}

}  // namespace
}  // namespace portolan
