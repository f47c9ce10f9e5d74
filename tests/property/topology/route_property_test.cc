#include <gtest/gtest.h>

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/breadth_first_search.hpp>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "graph_edges.h"
#include "small_clusters.h"

namespace portolan {
namespace {

using SearchGraph = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS>;

std::size_t position(std::int32_t index) { return static_cast<std::size_t>(index); }

/// Edges on a shortest path from `source` to each vertex over the edges that `may_use` admits; 0 where
/// there is no path.
std::vector<int> shortest_paths(const std::vector<Edge>& edges, DeviceIndex source,
                                const std::function<bool(const Edge&)>& may_use) {
  SearchGraph graph;
  for (const Edge& edge : edges) {
    if (may_use(edge)) {
      boost::add_edge(position(edge.from), position(edge.to), graph);
    }
  }
  std::vector<int> num_edges(boost::num_vertices(graph));
  boost::breadth_first_search(graph, position(source),
                              boost::visitor(boost::make_bfs_visitor(
                                  boost::record_distances(num_edges.data(), boost::on_tree_edge()))));
  return num_edges;
}

/// A cluster and what its graph says about it, looked up by the tests.
class Chart {
 public:
  explicit Chart(const Hardware& hardware)
      : cluster_(Cluster::build(hardware).value()),
        edges_(edges_of(cluster_)),
        link_ends_(static_cast<std::size_t>(cluster_.num_links())) {
    for (const Edge& edge : edges_) {
      if (edge.link) {
        link_ends_[position(*edge.link)] = edge;
      } else {
        pcie_.emplace(edge.from, edge.to);
      }
      if (cluster_.kind_of(edge.from) == VertexKind::kGpu &&
          cluster_.kind_of(edge.to) == VertexKind::kPcieSwitch) {
        gpu_below_.emplace(edge.to, edge.from);
      }
    }
  }

  const Cluster& cluster() const { return cluster_; }
  const std::vector<Edge>& edges() const { return edges_; }

  bool is_nvlink(const Edge& edge) const {
    return cluster_.kind_of(edge.from) == VertexKind::kNvSwitch ||
           cluster_.kind_of(edge.to) == VertexKind::kNvSwitch;
  }

  /// The vertices that a route visits, PCIe filled in where the graph has it; nothing when the route is
  /// not a connected path between its ends.
  std::optional<std::vector<VertexIndex>> walk(DeviceIndex source, DeviceIndex destination,
                                               const Route& route) const {
    std::vector<VertexIndex> path = {source};
    const auto move_by_pcie_to = [&](VertexIndex next) {
      if (path.back() == next) {
        return true;
      }
      const bool is_joined = pcie_.contains({path.back(), next});
      path.push_back(next);
      return is_joined;
    };
    for (const LinkIndex link : route.links) {
      if (!move_by_pcie_to(link_ends_[position(link)].from)) {
        return std::nullopt;
      }
      path.push_back(link_ends_[position(link)].to);
    }
    return move_by_pcie_to(destination) ? std::optional(path) : std::nullopt;
  }

  /// Whether the routes to and from the host are connected paths. Precondition: they exist.
  bool reaches_host(DeviceIndex device) const {
    const Route there = *cluster_.host_route(device);
    const Route back = *cluster_.route_from_host(device);
    const Edge& up = link_ends_[position(there.links.front())];
    const Edge& down = link_ends_[position(back.links.front())];
    const auto is_host = [&](VertexIndex vertex) { return cluster_.kind_of(vertex) == VertexKind::kHost; };
    const bool joins_host = std::any_of(pcie_.begin(), pcie_.end(), [&](const auto& edge) {
      return edge.first == up.to && is_host(edge.second) && pcie_.contains({edge.second, down.from});
    });
    return there.links.size() == 1 && back.links.size() == 1 && up.from == device && down.to == device &&
           joins_host && there.latency == back.latency;
  }

  /// What the rail policy leaves open: inside a node NVLink alone, between nodes every edge but the
  /// network cards of other rails than the destination's.
  std::function<bool(const Edge&)> policy(DeviceIndex source, DeviceIndex destination) const {
    if (cluster_.node_of(source) == cluster_.node_of(destination)) {
      return [this](const Edge& edge) { return is_nvlink(edge); };
    }
    const Hardware& hardware = cluster_.hardware();
    return [this, &hardware, rail = rail_of(hardware, destination)](const Edge& edge) {
      const bool to_nic = cluster_.kind_of(edge.to) == VertexKind::kNic;
      const std::optional<DeviceIndex> gpu = gpu_at(to_nic ? edge.from : edge.to);
      return cluster_.kind_of(to_nic ? edge.to : edge.from) != VertexKind::kNic || !gpu ||
             rail_of(hardware, *gpu) == rail;
    };
  }

 private:
  /// The vertex if it is a GPU, or a GPU below it if it is a PCIe switch: such GPUs are on one rail.
  std::optional<DeviceIndex> gpu_at(VertexIndex vertex) const {
    if (cluster_.kind_of(vertex) == VertexKind::kGpu) {
      return vertex;
    }
    const auto below = gpu_below_.find(vertex);
    return below == gpu_below_.end() ? std::nullopt : std::optional(below->second);
  }

  Cluster cluster_;
  std::vector<Edge> edges_;
  std::vector<Edge> link_ends_;
  std::set<std::pair<VertexIndex, VertexIndex>> pcie_;
  std::map<VertexIndex, DeviceIndex> gpu_below_;  ///< by PCIe switch
};

using Check = std::function<void(const Chart&, DeviceIndex source, DeviceIndex destination)>;

void for_all_pairs(const Check& check) {
  for (const Hardware& hardware : small_hardware()) {
    const Chart chart(hardware);
    const auto num_devices = static_cast<DeviceIndex>(chart.cluster().num_devices());
    for (DeviceIndex source = 0; source < num_devices; ++source) {
      for (DeviceIndex destination = 0; destination < num_devices; ++destination) {
        SCOPED_TRACE(describe(hardware) + ": " + std::to_string(source) + " to " +
                     std::to_string(destination));
        check(chart, source, destination);
        if (testing::Test::HasFailure()) {
          return;
        }
      }
    }
  }
}

TEST(RouteProperty, IsAConnectedPathOfDistinctLinksAndVertices) {
  for_all_pairs([](const Chart& chart, DeviceIndex source, DeviceIndex destination) {
    const Route route = chart.cluster().route(source, destination);
    EXPECT_EQ(route.links.empty(), source == destination);
    EXPECT_EQ(std::set<LinkIndex>(route.links.begin(), route.links.end()).size(), route.links.size());
    const auto path = chart.walk(source, destination, route);
    ASSERT_TRUE(path);
    EXPECT_EQ(std::set<VertexIndex>(path->begin(), path->end()).size(), path->size());
  });
}

TEST(RouteProperty, IsAShortestPathThatThePolicyAllows) {
  for_all_pairs([](const Chart& chart, DeviceIndex source, DeviceIndex destination) {
    const auto path = chart.walk(source, destination, chart.cluster().route(source, destination));
    ASSERT_TRUE(path);
    const auto policy = chart.policy(source, destination);
    for (const LinkIndex link : chart.cluster().route(source, destination).links) {
      for (const Edge& edge : chart.edges()) {
        EXPECT_TRUE(edge.link != link || policy(edge));
      }
    }
    if (source != destination) {
      const auto shortest = shortest_paths(chart.edges(), source, policy);
      EXPECT_EQ(static_cast<int>(path->size()) - 1, shortest[position(destination)]);
    }
  });
}

// To another rail of another pod a spine could change the rail; the policy keeps to the destination's.
TEST(RouteProperty, IsAShortestPathOfAllUnlessRailAndPodChange) {
  for_all_pairs([](const Chart& chart, DeviceIndex source, DeviceIndex destination) {
    if (source == destination) {
      return;
    }
    const Hardware& hardware = chart.cluster().hardware();
    const bool is_detour = rail_of(hardware, source) != rail_of(hardware, destination) &&
                           pod_of(hardware, source) != pod_of(hardware, destination);
    const auto path = chart.walk(source, destination, chart.cluster().route(source, destination));
    ASSERT_TRUE(path);
    const auto shortest = shortest_paths(chart.edges(), source, [](const Edge&) { return true; });
    EXPECT_EQ(static_cast<int>(path->size()) - 1, shortest[position(destination)] + (is_detour ? 2 : 0));
  });
}

TEST(RouteProperty, IsAsLongAndAsSlowTheOtherWay) {
  for_all_pairs([](const Chart& chart, DeviceIndex source, DeviceIndex destination) {
    const Route there = chart.cluster().route(source, destination);
    const Route back = chart.cluster().route(destination, source);
    EXPECT_EQ(there.links.size(), back.links.size());
    EXPECT_EQ(there.latency, back.latency);
  });
}

TEST(RouteProperty, UsesNvLinkExactlyInsideANodeAndToChangeRail) {
  for_all_pairs([](const Chart& chart, DeviceIndex source, DeviceIndex destination) {
    const Hardware& hardware = chart.cluster().hardware();
    const bool same_node = chart.cluster().node_of(source) == chart.cluster().node_of(destination);
    const bool same_rail = rail_of(hardware, source) == rail_of(hardware, destination);
    const bool expects_nvlink = source != destination && (same_node || !same_rail);
    int num_nvlinks = 0;
    for (const LinkIndex link : chart.cluster().route(source, destination).links) {
      num_nvlinks += chart.cluster().link_name(link).find("nvswitch") != std::string::npos ? 1 : 0;
    }
    EXPECT_EQ(num_nvlinks, expects_nvlink ? 2 : 0);
  });
}

TEST(RouteProperty, LatencyIsTheSumOfItsLinks) {
  for_all_pairs([](const Chart& chart, DeviceIndex source, DeviceIndex destination) {
    const Route route = chart.cluster().route(source, destination);
    Seconds sum;
    for (const LinkIndex link : route.links) {
      sum += chart.cluster().latency(link);
    }
    EXPECT_EQ(route.latency, sum);
  });
}

/// The spines and core switch that a payload passes, by the rule of topology/README.md.
std::vector<std::string> expected_switches(const Cluster& cluster, DeviceIndex source,
                                           DeviceIndex destination) {
  const Hardware& hardware = cluster.hardware();
  if (cluster.node_of(source) == cluster.node_of(destination) ||
      pod_of(hardware, source) == pod_of(hardware, destination)) {
    return {};
  }
  const std::int64_t card = destination * hardware.nics_per_node / hardware.gpus_per_node;
  const std::int64_t num_rails = hardware.rails ? hardware.nics_per_node : 1;
  const std::int64_t number = card / num_rails;
  const std::string spine = "spine" + std::to_string(number % hardware.spines);
  const auto num_devices = static_cast<DeviceIndex>(cluster.num_devices());
  if (group_of(hardware, num_devices - 1) == 0) {
    return {spine};
  }
  const auto spine_of = [&](DeviceIndex device) {
    return "group" + std::to_string(group_of(hardware, device)) + "." + spine;
  };
  if (group_of(hardware, source) == group_of(hardware, destination)) {
    return {spine_of(source)};
  }
  const std::int64_t core =
      (number / hardware.spines * num_rails + rail_of(hardware, destination)) % hardware.core_switches;
  return {spine_of(source), "core" + std::to_string(core), spine_of(destination)};
}

TEST(RouteProperty, SwitchesAboveTheLeavesAreTheDestinationsOwn) {
  for_all_pairs([](const Chart& chart, DeviceIndex source, DeviceIndex destination) {
    std::vector<std::string> switches;
    for (const LinkIndex link : chart.cluster().route(source, destination).links) {
      const std::string name = chart.cluster().link_name(link);
      const std::string end = name.substr(name.find("->") + 2);
      if (end.find("spine") != std::string::npos || end.find("core") != std::string::npos) {
        switches.push_back(end);
      }
    }
    EXPECT_EQ(switches, expected_switches(chart.cluster(), source, destination));
  });
}

TEST(RouteProperty, CrossesPcieExactlyOnTheWayToAndFromTheNetworkAndTheHost) {
  for_all_pairs([](const Chart& chart, DeviceIndex source, DeviceIndex destination) {
    const Cluster& cluster = chart.cluster();
    const bool has_pcie = cluster.hardware().pcie.has_value();
    int num_pcie_links = 0;
    for (const LinkIndex link : cluster.route(source, destination).links) {
      num_pcie_links += cluster.link_name(link).find("pcie") != std::string::npos ? 1 : 0;
    }
    EXPECT_EQ(num_pcie_links, has_pcie && cluster.node_of(source) != cluster.node_of(destination) ? 2 : 0);
    ASSERT_EQ(cluster.host_route(source).has_value(), has_pcie);
    ASSERT_EQ(cluster.route_from_host(source).has_value(), has_pcie);
    EXPECT_TRUE(!has_pcie || chart.reaches_host(source));
  });
}

}  // namespace
}  // namespace portolan
