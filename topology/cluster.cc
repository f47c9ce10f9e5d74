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
  std::optional<LinkIndex> link;  ///< none: never a bottleneck; bandwidth and latency are unused
  BytesPerSecond bandwidth;
  Seconds latency;
};

using DeviceGraph =
    boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, VertexProperty, EdgeProperty>;

/// Of parallel links together: switches spread a trunk's payloads over its links packet by packet.
BytesPerSecond achievable(const LinkSpec& spec, std::int64_t num_parallel = 1) {
  return static_cast<double>(num_parallel) * (spec.bandwidth.value * spec.efficiency.value);
}

std::size_t position(std::int32_t index) { return static_cast<std::size_t>(index); }

}  // namespace

/// Built in place, as copying or moving a Boost graph adds every edge again.
struct Cluster::Graph {
  Hardware hardware;
  ClusterLayout layout;
  DeviceGraph graph;
  std::vector<Link> links;
  // Of the links: asked for more often than a cache holds all links.
  std::vector<Seconds> latencies;
  std::vector<BytesPerSecond> bandwidths;

  explicit Graph(Hardware description)
      : hardware(std::move(description)),
        layout(hardware),
        graph(static_cast<std::size_t>(layout.num_vertices())),
        links(static_cast<std::size_t>(layout.num_links())),
        latencies(links.size()),
        bandwidths(links.size()) {
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
    for (std::int64_t leaf = 0; leaf < layout.num_leaves(); ++leaf) {
      add_leaf(leaf);
    }
    for (std::int64_t spine = 0; spine < layout.num_spines(); ++spine) {
      add_spine(spine);
    }
    for (std::int64_t core = 0; core < layout.num_cores; ++core) {
      set_kind(layout.core_vertex(core), VertexKind::kCoreSwitch);
    }
    for (std::int64_t pcie_switch = 0; pcie_switch < layout.num_pcie_switches(); ++pcie_switch) {
      add_pcie_switch(pcie_switch);
    }
  }

  Route over(LinkIndex link) const { return {.links = {link}, .latency = links[position(link)].latency}; }

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
    if (hardware.pcie) {
      const VertexIndex pcie_switch = layout.pcie_switch_vertex(layout.pcie_switch_of_gpu(gpu));
      const std::int64_t switch_place = layout.pcie_switch_of_gpu(gpu) % layout.pcie_switches_per_node;
      add_link({vertex, pcie_switch, layout.pcie_up(gpu)},
               fmt::format("node{}.gpu{}->pcie{}", node, place, switch_place), *hardware.pcie);
      add_link({pcie_switch, vertex, layout.pcie_down(gpu)},
               fmt::format("node{}.pcie{}->gpu{}", node, switch_place, place), *hardware.pcie);
      return;
    }
    join(vertex, layout.host_vertex(node));
    if (layout.nics_per_node > 0) {
      join(vertex, layout.nic_vertex(layout.nic_of_gpu(gpu)));
    }
  }

  void add_nic(std::int64_t nic) {
    const std::int64_t node = nic / layout.nics_per_node;
    const std::int64_t place = nic % layout.nics_per_node;
    const std::int64_t leaf = layout.leaf_of_nic(nic);
    const VertexIndex vertex = layout.nic_vertex(nic);
    set_kind(vertex, VertexKind::kNic);
    add_link({vertex, layout.leaf_vertex(leaf), layout.nic_up(nic)},
             fmt::format("node{}.nic{}->{}", node, place, leaf_name(leaf)), hardware.nic);
    add_link({layout.leaf_vertex(leaf), vertex, layout.nic_down(nic)},
             fmt::format("{}->node{}.nic{}", leaf_name(leaf), node, place), hardware.nic);
  }

  void add_leaf(std::int64_t leaf) {
    const VertexIndex vertex = layout.leaf_vertex(leaf);
    set_kind(vertex, VertexKind::kLeafSwitch);
    const std::string name = leaf_name(leaf);
    const std::int64_t first_spine = layout.group_of_leaf(leaf) * layout.spines_per_group;
    for (std::int64_t spine = first_spine; spine < first_spine + layout.spines_per_group; ++spine) {
      const std::string name_of_spine = spine_name(spine);
      add_link({vertex, layout.spine_vertex(spine), layout.trunk_up(leaf, spine)},
               fmt::format("{}->{}", name, name_of_spine), hardware.trunk, hardware.links_per_trunk);
      add_link({layout.spine_vertex(spine), vertex, layout.trunk_down(leaf, spine)},
               fmt::format("{}->{}", name_of_spine, name), hardware.trunk, hardware.links_per_trunk);
    }
  }

  void add_spine(std::int64_t spine) {
    const VertexIndex vertex = layout.spine_vertex(spine);
    set_kind(vertex, VertexKind::kSpineSwitch);
    const std::string name = spine_name(spine);
    for (std::int64_t core = 0; core < layout.num_cores; ++core) {
      add_link({vertex, layout.core_vertex(core), layout.core_trunk_up(spine, core)},
               fmt::format("{}->core{}", name, core), hardware.core_trunk, hardware.links_per_core_trunk);
      add_link({layout.core_vertex(core), vertex, layout.core_trunk_down(spine, core)},
               fmt::format("core{}->{}", core, name), hardware.core_trunk, hardware.links_per_core_trunk);
    }
  }

  void add_pcie_switch(std::int64_t pcie_switch) {
    const VertexIndex vertex = layout.pcie_switch_vertex(pcie_switch);
    set_kind(vertex, VertexKind::kPcieSwitch);
    join(vertex, layout.host_vertex(pcie_switch / layout.pcie_switches_per_node));
    if (layout.nics_per_node > 0) {
      join(vertex, layout.nic_vertex(pcie_switch));
    }
  }

  std::string leaf_name(std::int64_t leaf) const {
    return fmt::format("pod{}.leaf{}", leaf / layout.leaves_per_pod, leaf % layout.leaves_per_pod);
  }

  /// With one group the spines need no other name.
  std::string spine_name(std::int64_t spine) const {
    return layout.num_groups == 1 ? fmt::format("spine{}", spine)
                                  : fmt::format("group{}.spine{}", spine / layout.spines_per_group,
                                                spine % layout.spines_per_group);
  }

  void add_link(const Edge& edge, std::string name, const LinkSpec& spec, std::int64_t num_parallel = 1) {
    const Link& link = links[position(*edge.link)] =
        Link{std::move(name), achievable(spec, num_parallel), spec.latency.value};
    latencies[position(*edge.link)] = link.latency;
    bandwidths[position(*edge.link)] = link.bandwidth;
    boost::add_edge(position(edge.from), position(edge.to), {edge.link, link.bandwidth, link.latency}, graph);
  }

  /// Edges without a link, both ways.
  void join(VertexIndex a, VertexIndex b) {
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
const std::vector<BytesPerSecond>& Cluster::link_bandwidths() const { return graph_->bandwidths; }

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
    route.latency += graph_->latencies[position(link)];
  }
  return route;
}

LinkList Cluster::links_between(DeviceIndex source, DeviceIndex destination) const {
  assert(source >= 0 && source < num_devices());
  assert(destination >= 0 && destination < num_devices());
  return rail_route(graph_->layout, source, destination).links;
}

bool Cluster::is_core_trunk(LinkIndex link) const { return graph_->layout.is_core_trunk(link); }

Cluster::CoreTrunks Cluster::core_trunks_beside(LinkIndex trunk) const {
  const ClusterLayout& layout = graph_->layout;
  const auto place = static_cast<std::int32_t>(layout.numbered(trunk).number % layout.num_cores);
  return {.first = trunk - 2 * place, .count = static_cast<std::int32_t>(layout.num_cores), .place = place};
}

bool Cluster::is_alike_when_moved(DeviceIndex first, DeviceIndex last, std::int64_t shift) const {
  assert(first >= 0 && first <= last && last < num_devices());
  const ClusterLayout& layout = graph_->layout;
  if (first + shift < 0 || last + shift >= num_devices() || shift % layout.gpus_per_node != 0) {
    return false;
  }
  if (layout.node_of_gpu(first) == layout.node_of_gpu(last)) {
    return true;
  }
  const auto pod_of = [&](std::int64_t gpu) { return layout.pod_of_node(layout.node_of_gpu(gpu)); };
  const auto group_of = [&](std::int64_t gpu) { return layout.group_of_pod(pod_of(gpu)); };
  if (pod_of(first) == pod_of(last)) {
    return pod_of(first + shift) == pod_of(last + shift);
  }
  if (group_of(first) == group_of(last)) {
    // Whole pods further each payload meets the spine that is as many places further.
    return shift % (layout.nodes_per_pod * layout.gpus_per_node) == 0 &&
           group_of(first + shift) == group_of(last + shift);
  }
  // Whole groups further the same spine of the group, and so the core switch that is as many further for all.
  const std::int64_t nodes = shift / layout.gpus_per_node;
  return nodes % (layout.nodes_per_pod * layout.pods_per_group) == 0 &&
         layout.numbers_in(nodes) % layout.spines_per_group == 0;
}

std::optional<LinkIndex> Cluster::moved(LinkIndex link, std::int64_t shift) const {
  return graph_->layout.moved_by_nodes(link, shift / graph_->layout.gpus_per_node);
}

std::optional<std::int32_t> Cluster::rail_width() const { return graph_->layout.rail_width(); }

std::optional<std::int32_t> Cluster::place_in_node(LinkIndex link) const {
  const auto rail = graph_->layout.rail_of_link(link);
  return rail ? std::optional(static_cast<std::int32_t>(rail->place)) : std::nullopt;
}

LinkIndex Cluster::moved_within_nodes(LinkIndex link, std::int32_t places) const {
  const ClusterLayout& layout = graph_->layout;
  return static_cast<LinkIndex>(link +
                                layout.rail_of_link(link)->links_apart * (places / *layout.rail_width()));
}

std::optional<std::int32_t> Cluster::alike_nodes() const { return graph_->layout.alike_nodes(); }

std::int32_t Cluster::node_in_pod(LinkIndex link) const {
  return static_cast<std::int32_t>(graph_->layout.node_of_link(link).node);
}

LinkIndex Cluster::moved_within_pods(LinkIndex link, std::int32_t nodes) const {
  return static_cast<LinkIndex>(link + graph_->layout.node_of_link(link).links_apart * nodes);
}

std::optional<Route> Cluster::host_route(DeviceIndex device) const {
  assert(device >= 0 && device < num_devices());
  return graph_->hardware.pcie ? std::optional(graph_->over(graph_->layout.pcie_up(device))) : std::nullopt;
}

std::optional<Route> Cluster::route_from_host(DeviceIndex device) const {
  assert(device >= 0 && device < num_devices());
  return graph_->hardware.pcie ? std::optional(graph_->over(graph_->layout.pcie_down(device))) : std::nullopt;
}

BytesPerSecond Cluster::bisection_bandwidth() const {
  const Hardware& hardware = graph_->hardware;
  TierBandwidth bandwidth{.nvlink = achievable(hardware.nvlink),
                          .nic = achievable(hardware.nic),
                          .trunk = achievable(hardware.trunk, hardware.links_per_trunk),
                          .core_trunk = achievable(hardware.core_trunk, hardware.links_per_core_trunk)};
  if (hardware.pcie) {
    bandwidth.pcie = achievable(*hardware.pcie);
  }
  return smallest_bisection(graph_->layout, bandwidth);
}

}  // namespace portolan
