#pragma once

#include <cstdint>

#include "topology/cluster.h"
#include "topology/hardware.h"

namespace portolan {

/// The dense numbering of a cluster's vertices and links, by arithmetic: what lets a route be written
/// down without a search. Vertices: GPUs, NVSwitches, hosts, network cards, leaves, spines. Links: each
/// GPU's two, each network card's two, each trunk's two.
///
/// A device, node, card, leaf or spine is named by its dense index: card = node * nics_per_node + rail,
/// leaf = pod * nics_per_node + rail. Preconditions throughout: indices are in range.
struct ClusterLayout {
  std::int64_t num_nodes = 0;
  std::int64_t gpus_per_node = 0;
  std::int64_t nics_per_node = 0;  ///< 0 with one node: it has no fabric
  std::int64_t nodes_per_pod = 0;
  std::int64_t num_pods = 0;
  std::int64_t num_spines = 0;

  /// Precondition: find_problem(hardware) found none.
  explicit ClusterLayout(const Hardware& hardware);

  std::int64_t num_gpus() const { return num_nodes * gpus_per_node; }
  std::int64_t num_nics() const { return num_nodes * nics_per_node; }
  std::int64_t num_leaves() const { return num_pods * nics_per_node; }
  std::int64_t num_vertices() const;
  std::int64_t num_links() const;

  std::int64_t node_of_gpu(std::int64_t gpu) const { return gpu / gpus_per_node; }
  /// The rail of a GPU: the place in the node of the card that it uses. Precondition: a fabric.
  std::int64_t rail_of_gpu(std::int64_t gpu) const { return gpu % gpus_per_node / gpus_per_nic(); }
  std::int64_t nic_of_gpu(std::int64_t gpu) const { return gpu / gpus_per_nic(); }
  std::int64_t pod_of_node(std::int64_t node) const { return node / nodes_per_pod; }
  std::int64_t leaf_of(std::int64_t node, std::int64_t rail) const {
    return pod_of_node(node) * nics_per_node + rail;
  }
  std::int64_t gpus_per_nic() const { return gpus_per_node / nics_per_node; }

  VertexIndex gpu_vertex(std::int64_t gpu) const;
  VertexIndex nvswitch_vertex(std::int64_t node) const;
  VertexIndex host_vertex(std::int64_t node) const;
  VertexIndex nic_vertex(std::int64_t nic) const;
  VertexIndex leaf_vertex(std::int64_t leaf) const;
  VertexIndex spine_vertex(std::int64_t spine) const;

  /// Up: from the GPU to the spine; down: back.
  LinkIndex nvlink_up(std::int64_t gpu) const;
  LinkIndex nvlink_down(std::int64_t gpu) const;
  LinkIndex nic_up(std::int64_t nic) const;
  LinkIndex nic_down(std::int64_t nic) const;
  LinkIndex trunk_up(std::int64_t leaf, std::int64_t spine) const;
  LinkIndex trunk_down(std::int64_t leaf, std::int64_t spine) const;
};

}  // namespace portolan
