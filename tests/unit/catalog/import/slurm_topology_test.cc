#include "catalog/import/slurm_topology.h"

#include <string>
#include <vector>

#include "catalog/import/hostlist.h"
#include "tests/unit/catalog/import/fixtures.h"

namespace portolan {
namespace {

std::string expanded(const std::string& text) {
  const auto names = expand_hostlist(text);
  if (!names) {
    return names.error().message;
  }
  std::string all;
  for (const std::string& name : *names) {
    all += (all.empty() ? "" : " ") + name;
  }
  return all;
}

TEST(Hostlist, Expands) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"tux", "tux"},
      {"tux0,tux1", "tux0 tux1"},
      {"tux[0-2,20]", "tux0 tux1 tux2 tux20"},
      {"tux[08-11]", "tux08 tux09 tux10 tux11"},
      {"tux[5]", "tux5"},
      {"rack[0-1]node[1-2]", "rack0node1 rack0node2 rack1node1 rack1node2"},
      {"a[1-2]-ib,b", "a1-ib a2-ib b"},
      {"[1-2]", "1 2"},
      {"a[1-2],b[3,5]", "a1 a2 b3 b5"},
      {"", "an empty name (allowed: such as tux[0-15,20])"},
      {"a,,b", "an empty name (allowed: such as tux[0-15,20])"},
      {"a,", "an empty name (allowed: such as tux[0-15,20])"},
      {"a[0-1", "\"a[0-1\": brackets do not match (allowed: such as tux[0-15,20])"},
      {"a]0[", "\"a]0[\": brackets do not match (allowed: such as tux[0-15,20])"},
      {"a[]", "range \"\" is not allowed (allowed: such as 0-15 or 20, up to 999999999)"},
      {"a[3-1]", "range \"3-1\" is not allowed (allowed: such as 0-15 or 20, up to 999999999)"},
      {"a[0-]", "range \"0-\" is not allowed (allowed: such as 0-15 or 20, up to 999999999)"},
      {"a[-1]", "range \"-1\" is not allowed (allowed: such as 0-15 or 20, up to 999999999)"},
      {"a[x]", "range \"x\" is not allowed (allowed: such as 0-15 or 20, up to 999999999)"},
      {"a[1000000000]", "range \"1000000000\" is not allowed (allowed: such as 0-15 or 20, up to 999999999)"},
      {"n[0-999999999]",
       "\"n[0-999999999]\" comes to too many names (allowed: 1000000 names and 67108864 characters)"},
      {"a[1-999]b[1-999]c[1-999]d[1-999]e[1-999]f[1-999]g[1-999]",
       "\"a[1-999]b[1-999]c[1-999]d[1-999]e[1-999]f[1-999]g[1-999]\" comes to too many names (allowed: "
       "1000000 "
       "names and 67108864 characters)"},
      {"a[1]b[1]c[1]d[1]e[1]f[1]g[1]h[1]i[1]", "more than 7 brackets in a name"},
  };
  for (const auto& [text, names] : table) {
    EXPECT_EQ(expanded(text), names) << text;
  }
  EXPECT_EQ(expand_hostlist("n[0-999999]")->size(), 1'000'000U);
  // A long name times many numbers is bounded in characters.
  EXPECT_FALSE(expand_hostlist(std::string(1000, 'x') + "[0-99999]"));
}

Result<SlurmTopology> read_slurm(const std::string& text) {
  return read_slurm_topology(text, "topology.conf");
}

TEST(SlurmTopology, ReadsTwoLevels) {
  const auto topology = read_slurm(fixture("two-level-topology.conf"));
  ASSERT_TRUE(topology) << topology.error().message;
  ASSERT_EQ(topology->switches.size(), 3U);
  EXPECT_EQ(topology->switches[0].name, "pod0");
  EXPECT_EQ(topology->switches[0].nodes, (std::vector<std::string>{"dgx00", "dgx01", "dgx02", "dgx03"}));
  EXPECT_EQ(topology->switches[0].link_speed, "200");
  EXPECT_EQ(topology->switches[1].nodes, (std::vector<std::string>{"dgx04", "dgx05", "dgx06", "dgx07"}));
  EXPECT_EQ(topology->switches[2].switches, (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(topology->switches[2].level, 2);
  EXPECT_EQ(topology->roots, (std::vector<std::size_t>{2}));
}

TEST(SlurmTopology, ReadsKeysInAnyCaseAndOrder) {
  const auto topology =
      read_slurm("NODES=a[1-2] switchname=s0 # SwitchName=no\r\n\n  SwitchName=s1 switches=s0\n");
  ASSERT_TRUE(topology) << topology.error().message;
  EXPECT_EQ(topology->switches[0].nodes.size(), 2U);
  EXPECT_EQ(topology->switches[1].level, 2);
}

TEST(SlurmTopology, RefusesMalformedInput) {
  const std::string keys = "(allowed: SwitchName=, Nodes=, Switches=, LinkSpeed=)";
  const std::vector<Malformed> table = {
      {"", "topology.conf: names no switch (allowed: lines of SwitchName=...)"},
      {"# nothing\n", "topology.conf: names no switch (allowed: lines of SwitchName=...)"},
      {std::string("a\0", 2), "topology.conf:1: is not text: byte 0x00 (allowed: UTF-8)"},
      {"BlockName=b1 Nodes=a\n", "topology.conf:1: \"BlockName=b1\" is not known " + keys},
      {"SwitchName=s Nodes=a, b\n", "topology.conf:1: \"b\" is not known " + keys},
      {"SwitchName\n", "topology.conf:1: \"SwitchName\" is not known " + keys},
      {"SwitchName=a SwitchName=b Nodes=c\n", "topology.conf:1: SwitchName is there twice"},
      {"SwitchName=a Nodes=\n", "topology.conf:1: Nodes= has no value"},
      {"Nodes=a\n", "topology.conf:1: has no SwitchName="},
      {"SwitchName=s\n",
       "topology.conf:1: switch s has neither nodes nor switches (allowed: one of Nodes=, Switches=)"},
      {"SwitchName=s Nodes=a Switches=b\n",
       "topology.conf:1: switch s has nodes and switches (allowed: one of Nodes=, Switches=)"},
      {"SwitchName=s Nodes=a\nSwitchName=s Nodes=b\n",
       "topology.conf:2: switch s is there twice (first in line 1)"},
      {"SwitchName=s Nodes=ALL\n",
       "topology.conf:1: Nodes=ALL names no nodes (allowed: such as tux[0-15,20])"},
      {"SwitchName=s Nodes=a[0-9\n",
       "topology.conf:1: Nodes=: \"a[0-9\": brackets do not match (allowed: such as tux[0-15,20])"},
      {"SwitchName=s Nodes=n[0-999999999]\n",
       "topology.conf:1: Nodes=: \"n[0-999999999]\" comes to too many names (allowed: 1000000 names and "
       "67108864 "
       "characters)"},
      {"SwitchName=s Nodes=a,a\n",
       "topology.conf:1: node a is there twice (allowed: one leaf switch a node)"},
      {"SwitchName=s Nodes=a\nSwitchName=t Nodes=a\n",
       "topology.conf:2: node a is there twice (allowed: one leaf switch a node)"},
      {"SwitchName=s Switches=t\n",
       "topology.conf:1: Switches=: t is described nowhere (allowed: names of SwitchName=)"},
      {"SwitchName=s Nodes=a\nSwitchName=t Switches=s\nSwitchName=u Switches=s\n",
       "topology.conf:3: Switches=: s is below another switch too (allowed: a tree)"},
      {"SwitchName=s Switches=t\nSwitchName=t Switches=s\n",
       "topology.conf:1: switch s is below itself (allowed: a tree)"},
      {"SwitchName=r Nodes=a\nSwitchName=s Switches=s\n",
       "topology.conf:2: switch s is below itself (allowed: a tree)"},
      {"SwitchName=a Nodes=a\nSwitchName=b Nodes=b\nSwitchName=c Switches=a\nSwitchName=d Switches=b,c\n",
       "topology.conf:4: switch d joins leaf switches and others (allowed: equals)"},
      {std::string(9U << 20U, ' '), "topology.conf: is 9437184 bytes (allowed: up to 8388608)"},
  };
  for (const Malformed& row : table) {
    EXPECT_EQ(error_of(read_slurm(row.text)), row.message);
  }
}

TEST(SlurmTopology, CountsNamesOverAllLines) {
  std::string text;
  for (int i = 0; i < 3; ++i) {
    text += "SwitchName=s" + std::to_string(i) + " Nodes=n" + std::to_string(i) + "x[1-400000]\n";
  }
  EXPECT_EQ(error_of(read_slurm(text)),
            "topology.conf:3: Nodes=: \"n2x[1-400000]\" comes to too many names (allowed: 200000 names and "
            "60131074 characters)");
}

// A chain of switches as deep as the file is long needs no stack.
TEST(SlurmTopology, DepthDoesNotOverflowTheStack) {
  std::string text = "SwitchName=s0 Nodes=a\n";
  for (int i = 1; i < 50'000; ++i) {
    text += "SwitchName=s" + std::to_string(i) + " Switches=s" + std::to_string(i - 1) + "\n";
  }
  const auto topology = read_slurm(text);
  ASSERT_TRUE(topology) << topology.error().message;
  EXPECT_EQ(topology->switches.back().level, 50'000);
}

}  // namespace
}  // namespace portolan
