#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/edmonds_karp_max_flow.hpp>
#include <limits>
#include <utility>

#include "graph_edges.h"
#include "small_clusters.h"

namespace portolan {
namespace {

using Traits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;

struct FlowEdge {
  std::int64_t capacity = 0;
  std::int64_t residual = 0;
  Traits::edge_descriptor reverse;
};

using FlowGraph =
    boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, boost::no_property, FlowEdge>;

constexpr std::int64_t kUnlimited = 1'000'000'000;

void add_flow_edge(std::size_t from, std::size_t to, std::int64_t capacity, FlowGraph& graph) {
  const auto forward = boost::add_edge(from, to, FlowEdge{capacity, 0, {}}, graph).first;
  const auto backward = boost::add_edge(to, from, FlowEdge{0, 0, {}}, graph).first;
  graph[forward].reverse = backward;
  graph[backward].reverse = forward;
}

/// Max-flow from the GPUs of the nodes in `senders` (a bit each) to all other GPUs.
std::int64_t max_flow(const Cluster& cluster, unsigned senders) {
  const std::vector<Edge> edges = edges_of(cluster);
  VertexIndex last_vertex = 0;
  for (const Edge& edge : edges) {
    last_vertex = std::max({last_vertex, edge.from, edge.to});
  }
  const auto source = static_cast<std::size_t>(last_vertex) + 1;
  const std::size_t sink = source + 1;
  FlowGraph graph(sink + 1);
  for (const Edge& edge : edges) {
    const double bandwidth = edge.link ? cluster.bandwidth(*edge.link).value : kUnlimited;
    add_flow_edge(static_cast<std::size_t>(edge.from), static_cast<std::size_t>(edge.to),
                  static_cast<std::int64_t>(bandwidth), graph);
  }
  for (DeviceIndex device = 0; device < cluster.num_devices(); ++device) {
    const bool sends = (senders >> cluster.node_of(device) & 1U) != 0;
    const auto vertex = static_cast<std::size_t>(device);
    add_flow_edge(sends ? source : vertex, sends ? vertex : sink, kUnlimited, graph);
  }
  return boost::edmonds_karp_max_flow(graph, source, sink,
                                      boost::capacity_map(boost::get(&FlowEdge::capacity, graph))
                                          .residual_capacity_map(boost::get(&FlowEdge::residual, graph))
                                          .reverse_edge_map(boost::get(&FlowEdge::reverse, graph)));
}

/// The least max-flow over every division of the nodes into halves.
std::int64_t smallest_max_flow(const Cluster& cluster) {
  const auto num_nodes = static_cast<int>(cluster.hardware().num_nodes);
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (unsigned senders = 0; senders < 1U << num_nodes; ++senders) {
    const int num_senders = std::popcount(senders);
    if (num_senders == num_nodes / 2 || num_senders == num_nodes - num_nodes / 2) {
      least = std::min(least, max_flow(cluster, senders));
    }
  }
  return least;
}

void expect_max_flow(const Hardware& hardware) {
  SCOPED_TRACE(describe(hardware) + ", trunk " + std::to_string(hardware.trunk.bandwidth.value.value) +
               ", core trunk " + std::to_string(hardware.core_trunk.bandwidth.value.value));
  const Cluster cluster = Cluster::build(hardware).value();
  EXPECT_EQ(cluster.bisection_bandwidth().value, static_cast<double>(smallest_max_flow(cluster)));
}

TEST(BisectionProperty, IsTheSmallestMaxFlowOfSmallClusters) {
  for (Hardware hardware : small_hardware()) {
    if (hardware.num_nodes == 1 || hardware.gpus_per_node == 3) {
      continue;
    }
    for (const double trunk : {1.0, 7.0, 100.0}) {
      hardware.trunk.bandwidth.value = BytesPerSecond(trunk);
      expect_max_flow(hardware);
    }
  }
}

// Uneven pods and odd numbers of nodes, where the best division is least obvious.
TEST(BisectionProperty, IsTheSmallestMaxFlowOfUnevenPods) {
  Hardware hardware = small_hardware().front();
  hardware.gpus_per_node = 1;
  hardware.nics_per_node = 1;
  for (hardware.num_nodes = 5; hardware.num_nodes <= 7; ++hardware.num_nodes) {
    for (hardware.nodes_per_pod = 1; hardware.nodes_per_pod <= hardware.num_nodes; ++hardware.nodes_per_pod) {
      for (hardware.spines = 1; hardware.spines <= 2; ++hardware.spines) {
        for (const double trunk : {2.0, 5.0, 11.0, 16.0}) {
          hardware.trunk.bandwidth.value = BytesPerSecond(trunk);
          expect_max_flow(hardware);
        }
      }
    }
  }
}

// Uneven groups of uneven pods: the divided pod and the divided group can be two.
TEST(BisectionProperty, IsTheSmallestMaxFlowOfUnevenGroups) {
  Hardware hardware = small_hardware().front();
  hardware.gpus_per_node = 1;
  hardware.nics_per_node = 1;
  hardware.spines = 1;
  hardware.core_switches = 1;
  for (hardware.num_nodes = 5; hardware.num_nodes <= 8; ++hardware.num_nodes) {
    for (hardware.nodes_per_pod = 1; hardware.nodes_per_pod <= 3; ++hardware.nodes_per_pod) {
      for (hardware.pods_per_group = 1; hardware.pods_per_group <= 4; ++hardware.pods_per_group) {
        for (const double trunk : {4.0, 11.0, 100.0}) {
          for (const double core_trunk : {1.0, 7.0, 13.0, 100.0}) {
            hardware.trunk.bandwidth.value = BytesPerSecond(trunk);
            hardware.core_trunk.bandwidth.value = BytesPerSecond(core_trunk);
            expect_max_flow(hardware);
          }
        }
      }
    }
  }
}

// The pod that is divided lies in a group of which some pods send and some receive.
TEST(BisectionProperty, IsTheSmallestMaxFlowOfGroupsThatAreDividedTwice) {
  Hardware hardware = small_hardware().front();
  hardware.num_nodes = 10;
  hardware.gpus_per_node = 1;
  hardware.nics_per_node = 1;
  hardware.spines = 1;
  hardware.core_switches = 1;
  hardware.trunk.bandwidth.value = BytesPerSecond(11);
  for (const auto& [nodes_per_pod, pods_per_group] : {std::pair(2, 4), std::pair(3, 3)}) {
    hardware.nodes_per_pod = nodes_per_pod;
    hardware.pods_per_group = pods_per_group;
    for (const double core_trunk : {3.0, 7.0}) {
      hardware.core_trunk.bandwidth.value = BytesPerSecond(core_trunk);
      expect_max_flow(hardware);
    }
  }
}

// n times the links below is n times less above them, wherever the halves are whole pods or whole groups.
TEST(BisectionProperty, IsDividedByTheOversubscription) {
  Hardware hardware = small_hardware().front();
  hardware.num_nodes = 64;
  hardware.gpus_per_node = 4;
  hardware.nics_per_node = 4;
  hardware.nodes_per_pod = 8;
  hardware.nic.bandwidth.value = BytesPerSecond(8);
  hardware.trunk = hardware.nic;
  hardware.core_trunk = hardware.nic;
  const auto bisection = [](const Hardware& described) {
    return Cluster::build(described).value().bisection_bandwidth().value;
  };
  const double of_cards = 32.0 * 4 * 8;
  for (const bool rails : {true, false}) {
    hardware.rails = rails;
    for (const std::int64_t ratio : {1, 2, 4, 8}) {
      Hardware spines = hardware;  // a leaf: 8 links of cards down (32 without rails), 8 / ratio up
      spines.spines = 8 / ratio;
      spines.links_per_trunk = rails ? 1 : 4;
      EXPECT_EQ(bisection(spines), of_cards / static_cast<double>(ratio));
      Hardware cores = hardware;  // a group of 16 nodes: 64 cards below 8 spines, 64 / ratio links up
      cores.spines = 8;
      cores.links_per_trunk = rails ? 1 : 4;
      cores.pods_per_group = 2;
      cores.core_switches = 8 / ratio;
      EXPECT_EQ(bisection(cores), of_cards / static_cast<double>(ratio));
      cores.core_switches = 1;
      cores.links_per_core_trunk = 8 / ratio;
      EXPECT_EQ(bisection(cores), of_cards / static_cast<double>(ratio));
    }
  }
}

}  // namespace
}  // namespace portolan
