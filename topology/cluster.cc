#include "topology/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <cassert>
#include <utility>

#include "topology/bisection.h"
#include "topology/cluster_layout.h"
#include "topology/route.h"

namespace portolan {

namespace {

struct VertexProperty {
  VertexKind kind = VertexKind::kGpu;
};

struct EdgeProperty {
  std::optional<LinkIndex> link;  ///< none: PCIe, never a bottleneck here; bandwidth and latency are unused
  BytesPerSecond bandwidth;
  Seconds latency;
};

using DeviceGraph =
    boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, VertexProperty, EdgeProperty>;

BytesPerSecond achievable(const LinkSpec& spec) { return spec.bandwidth.value * spec.efficiency.value; }

std::size_t position(std::int32_t index) { return static_cast<std::size_t>(index); }

}  // namespace

/// Built in place, as copying or moving a Boost graph adds every edge again.
struct Cluster::Graph {
  Hardware hardware;
  ClusterLayout layout;
  DeviceGraph graph;
  std::vector<Link> links;

  explicit Graph(Hardware description)
      : hardware(std::move(description)),
        layout(hardware),
        graph(static_cast<std::size_t>(layout.num_vertices())),
        links(static_cast<std::size_t>(layout.num_links())) {
    for (std::int64_t gpu = 0; gpu < layout.num_gpus(); ++gpu) {
      add_gpu(gpu);
    }
    for (std::int64_t node = 0; node < layout.num_nodes; ++node) {
      set_kind(layout.nvswitch_vertex(node), VertexKind::kNvSwitch);
      set_kind(layout.host_vertex(node), VertexKind::kHost);
    }
    for (std::int64_t nic = 0; nic < layout.num_nics(); ++nic) {
      add_nic(nic);
    }
    for (std::int64_t spine = 0; spine < layout.num_spines; ++spine) {
      set_kind(layout.spine_vertex(spine), VertexKind::kSpineSwitch);
    }
    for (std::int64_t leaf = 0; leaf < layout.num_leaves(); ++leaf) {
      add_leaf(leaf);
    }
  }

 private:
  void set_kind(VertexIndex vertex, VertexKind kind) { graph[position(vertex)].kind = kind; }

  void add_gpu(std::int64_t gpu) {
    const std::int64_t node = layout.node_of_gpu(gpu);
    const std::int64_t place = gpu % layout.gpus_per_node;
    const VertexIndex vertex = layout.gpu_vertex(gpu);
    set_kind(vertex, VertexKind::kGpu);
    add_link({vertex, layout.nvswitch_vertex(node), layout.nvlink_up(gpu)},
             fmt::format("node{}.gpu{}->nvswitch", node, place), hardware.nvlink);
    add_link({layout.nvswitch_vertex(node), vertex, layout.nvlink_down(gpu)},
             fmt::format("node{}.nvswitch->gpu{}", node, place), hardware.nvlink);
    add_pcie(vertex, layout.host_vertex(node));
    if (layout.nics_per_node > 0) {
      add_pcie(vertex, layout.nic_vertex(layout.nic_of_gpu(gpu)));
    }
  }

  void add_nic(std::int64_t nic) {
    const std::int64_t node = nic / layout.nics_per_node;
    const std::int64_t rail = nic % layout.nics_per_node;
    const std::int64_t pod = layout.pod_of_node(node);
    const VertexIndex leaf = layout.leaf_vertex(layout.leaf_of(node, rail));
    const VertexIndex vertex = layout.nic_vertex(nic);
    set_kind(vertex, VertexKind::kNic);
    add_link({vertex, leaf, layout.nic_up(nic)},
             fmt::format("node{}.nic{}->pod{}.leaf{}", node, rail, pod, rail), hardware.nic);
    add_link({leaf, vertex, layout.nic_down(nic)},
             fmt::format("pod{}.leaf{}->node{}.nic{}", pod, rail, node, rail), hardware.nic);
  }

  void add_leaf(std::int64_t leaf) {
    const std::int64_t pod = leaf / layout.nics_per_node;
    const std::int64_t rail = leaf % layout.nics_per_node;
    const VertexIndex vertex = layout.leaf_vertex(leaf);
    set_kind(vertex, VertexKind::kLeafSwitch);
    for (std::int64_t spine = 0; spine < layout.num_spines; ++spine) {
      const VertexIndex spine_vertex = layout.spine_vertex(spine);
      add_link({vertex, spine_vertex, layout.trunk_up(leaf, spine)},
               fmt::format("pod{}.leaf{}->spine{}", pod, rail, spine), hardware.trunk);
      add_link({spine_vertex, vertex, layout.trunk_down(leaf, spine)},
               fmt::format("spine{}->pod{}.leaf{}", spine, pod, rail), hardware.trunk);
    }
  }

  void add_link(const Edge& edge, std::string name, const LinkSpec& spec) {
    const Link& link = links[position(*edge.link)] =
        Link{std::move(name), achievable(spec), spec.latency.value};
    boost::add_edge(position(edge.from), position(edge.to), {edge.link, link.bandwidth, link.latency}, graph);
  }

  void add_pcie(VertexIndex a, VertexIndex b) {
    boost::add_edge(position(a), position(b), graph);
    boost::add_edge(position(b), position(a), graph);
  }
};

Result<Cluster> Cluster::build(Hardware hardware) {
  if (const auto problem = find_problem(hardware)) {
    return bad_input(fmt::format("{}: {}", problem->key, problem->message));
  }
  return Cluster(std::make_unique<Graph>(std::move(hardware)));
}

Cluster::Cluster(std::unique_ptr<Graph> graph) : graph_(std::move(graph)) {}
Cluster::Cluster(Cluster&&) noexcept = default;
Cluster& Cluster::operator=(Cluster&&) noexcept = default;
Cluster::~Cluster() = default;

const Hardware& Cluster::hardware() const { return graph_->hardware; }
std::int64_t Cluster::num_devices() const { return graph_->layout.num_gpus(); }
const std::vector<Link>& Cluster::links() const { return graph_->links; }

std::int64_t Cluster::node_of(DeviceIndex device) const {
  assert(device >= 0 && device < num_devices());
  return graph_->layout.node_of_gpu(device);
}

std::int64_t Cluster::num_vertices(VertexKind kind) const {
  const auto [begin, end] = boost::vertices(graph_->graph);
  return std::count_if(begin, end, [&](std::size_t vertex) { return graph_->graph[vertex].kind == kind; });
}

VertexKind Cluster::kind_of(VertexIndex vertex) const {
  assert(vertex >= 0 && position(vertex) < boost::num_vertices(graph_->graph));
  return graph_->graph[position(vertex)].kind;
}

std::vector<Edge> Cluster::edges() const {
  std::vector<Edge> edges;
  edges.reserve(boost::num_edges(graph_->graph));
  const DeviceGraph& graph = graph_->graph;
  for (std::size_t vertex = 0; vertex < boost::num_vertices(graph); ++vertex) {
    const auto [begin, end] = boost::out_edges(vertex, graph);
    for (auto edge = begin; edge != end; ++edge) {
      edges.push_back({.from = static_cast<VertexIndex>(vertex),
                       .to = static_cast<VertexIndex>(boost::target(*edge, graph)),
                       .link = graph[*edge].link});
    }
  }
  return edges;
}

Route Cluster::route(DeviceIndex source, DeviceIndex destination) const {
  assert(source >= 0 && source < num_devices());
  assert(destination >= 0 && destination < num_devices());
  Route route = rail_route(graph_->layout, source, destination);
  for (const LinkIndex link : route.links) {
    route.latency += graph_->links[position(link)].latency;
  }
  return route;
}

BytesPerSecond Cluster::bisection_bandwidth() const {
  const Hardware& hardware = graph_->hardware;
  return smallest_bisection(graph_->layout, {.nvlink = achievable(hardware.nvlink),
                                             .nic = achievable(hardware.nic),
                                             .trunk = achievable(hardware.trunk)});
}

}  // namespace portolan
