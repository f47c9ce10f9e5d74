#include "topology/device_graph.h"

#include "topology/cluster_layout.h"

namespace portolan {

namespace {

std::size_t position(std::int32_t index) { return static_cast<std::size_t>(index); }

/// Into a graph that has the vertices: copying or moving a Boost graph adds every edge again.
class EdgeMaker {
 public:
  EdgeMaker(const ClusterLayout& layout, DeviceGraph& graph) : layout_(layout), graph_(graph) {}

  void run() {
    for (std::int64_t gpu = 0; gpu < layout_.num_gpus(); ++gpu) {
      add_gpu(gpu);
    }
    for (std::int64_t nic = 0; nic < layout_.num_nics(); ++nic) {
      add_links(layout_.nic_vertex(nic), layout_.leaf_vertex(layout_.leaf_of_nic(nic)), layout_.nic_up(nic));
    }
    for (std::int64_t leaf = 0; leaf < layout_.num_leaves(); ++leaf) {
      add_trunks(leaf);
    }
    for (std::int64_t spine = 0; spine < layout_.num_spines(); ++spine) {
      for (std::int64_t core = 0; core < layout_.num_cores; ++core) {
        add_links(layout_.spine_vertex(spine), layout_.core_vertex(core), layout_.core_trunk_up(spine, core));
      }
    }
    for (std::int64_t pcie_switch = 0; pcie_switch < layout_.num_pcie_switches(); ++pcie_switch) {
      add_pcie_switch(pcie_switch);
    }
  }

 private:
  void add_gpu(std::int64_t gpu) {
    const std::int64_t node = layout_.node_of_gpu(gpu);
    const VertexIndex vertex = layout_.gpu_vertex(gpu);
    add_links(vertex, layout_.nvswitch_vertex(node), layout_.nvlink_up(gpu));
    if (layout_.pcie_switches_per_node > 0) {
      add_links(vertex, layout_.pcie_switch_vertex(layout_.pcie_switch_of_gpu(gpu)), layout_.pcie_up(gpu));
      return;
    }
    join(vertex, layout_.host_vertex(node));
    if (layout_.nics_per_node > 0) {
      join(vertex, layout_.nic_vertex(layout_.nic_of_gpu(gpu)));
    }
  }

  void add_trunks(std::int64_t leaf) {
    const std::int64_t first_spine = layout_.group_of_leaf(leaf) * layout_.spines_per_group;
    for (std::int64_t spine = first_spine; spine < first_spine + layout_.spines_per_group; ++spine) {
      add_links(layout_.leaf_vertex(leaf), layout_.spine_vertex(spine), layout_.trunk_up(leaf, spine));
    }
  }

  void add_pcie_switch(std::int64_t pcie_switch) {
    const VertexIndex vertex = layout_.pcie_switch_vertex(pcie_switch);
    join(vertex, layout_.host_vertex(pcie_switch / layout_.pcie_switches_per_node));
    if (layout_.nics_per_node > 0) {
      join(vertex, layout_.nic_vertex(pcie_switch));
    }
  }

  /// The link up and, after it, the one down.
  void add_links(VertexIndex lower, VertexIndex upper, LinkIndex up) {
    boost::add_edge(position(lower), position(upper), {up}, graph_);
    boost::add_edge(position(upper), position(lower), {up + 1}, graph_);
  }
  void join(VertexIndex a, VertexIndex b) {
    boost::add_edge(position(a), position(b), graph_);
    boost::add_edge(position(b), position(a), graph_);
  }

  const ClusterLayout& layout_;
  DeviceGraph& graph_;
};

}  // namespace

DeviceGraph device_graph(const Cluster& cluster) {
  const ClusterLayout layout(cluster.hardware());
  DeviceGraph graph(static_cast<std::size_t>(layout.num_vertices()));
  for (VertexIndex vertex = 0; vertex < layout.num_vertices(); ++vertex) {
    graph[position(vertex)].kind = layout.kind_of_vertex(vertex);
  }
  EdgeMaker(layout, graph).run();
  return graph;
}

}  // namespace portolan
