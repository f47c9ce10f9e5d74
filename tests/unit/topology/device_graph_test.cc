#include "topology/device_graph.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "sample_hardware.h"

namespace portolan {
namespace {

using KindPairs = std::set<std::pair<VertexKind, VertexKind>>;

/// Every edge with a link joins a pair of `by_link`, every other one of `without_link`, both ways; every link
/// is on one edge.
void expect_edges(const Cluster& cluster, const KindPairs& by_link, const KindPairs& without_link) {
  const DeviceGraph graph = device_graph(cluster);
  std::vector<int> num_uses(static_cast<std::size_t>(cluster.num_links()));
  for (std::size_t from = 0; from < boost::num_vertices(graph); ++from) {
    const auto [begin, end] = boost::out_edges(from, graph);
    for (auto edge = begin; edge != end; ++edge) {
      const std::pair up(graph[from].kind, graph[boost::target(*edge, graph)].kind);
      const std::pair down(up.second, up.first);
      const std::optional<LinkIndex> link = graph[*edge].link;
      const KindPairs& allowed = link ? by_link : without_link;
      EXPECT_TRUE(allowed.contains(up) || allowed.contains(down));
      if (link) {
        ++num_uses[static_cast<std::size_t>(*link)];
      }
    }
  }
  EXPECT_EQ(num_uses, std::vector<int>(num_uses.size(), 1));
}

TEST(DeviceGraph, JoinsVerticesOfNeighbouringTiers) {
  using enum VertexKind;
  expect_edges(Cluster::build(sample_hardware()).value(),
               {{kGpu, kNvSwitch}, {kNic, kLeafSwitch}, {kLeafSwitch, kSpineSwitch}},
               {{kGpu, kNic}, {kGpu, kHost}});
  Hardware hardware = three_tier_hardware();
  hardware.pcie = hardware.nic;
  expect_edges(Cluster::build(hardware).value(),
               {{kGpu, kNvSwitch},
                {kGpu, kPcieSwitch},
                {kNic, kLeafSwitch},
                {kLeafSwitch, kSpineSwitch},
                {kSpineSwitch, kCoreSwitch}},
               {{kPcieSwitch, kNic}, {kPcieSwitch, kHost}});
}

TEST(DeviceGraph, HasTheKindsOfTheCluster) {
  const Cluster cluster = Cluster::build(three_tier_hardware()).value();
  const DeviceGraph graph = device_graph(cluster);
  std::map<VertexKind, std::int64_t> counts;
  for (std::size_t vertex = 0; vertex < boost::num_vertices(graph); ++vertex) {
    EXPECT_EQ(graph[vertex].kind, cluster.kind_of(static_cast<VertexIndex>(vertex)));
    ++counts[graph[vertex].kind];
  }
  for (const auto& [kind, count] : counts) {
    EXPECT_EQ(count, cluster.num_vertices(kind));
  }
  EXPECT_EQ(counts.size(), 7U);  // all but PCIe switches
}

}  // namespace
}  // namespace portolan
