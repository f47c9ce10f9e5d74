#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "topology/cluster.h"
#include "topology/hardware.h"

namespace portolan {

/// The dense numbering of a cluster's vertices and links, by arithmetic: what lets a route be written
/// down without a search. Vertices: GPUs, NVSwitches, hosts, network cards, leaves, spines, core switches,
/// PCIe switches. Links: each GPU's two of NVLink, each network card's two, each trunk's two, each core
/// trunk's two, each GPU's two of PCIe.
///
/// A device, node, card, leaf, spine or core switch is named by its dense index: card = node *
/// nics_per_node + its place in the node, leaf = pod * leaves_per_pod + rail, spine = group *
/// spines_per_group + its place in the group. Preconditions throughout: indices are in range.
struct ClusterLayout {
  std::int64_t num_nodes = 0;
  std::int64_t gpus_per_node = 0;
  std::int64_t nics_per_node = 0;  ///< 0 with one node: it has no fabric
  std::int64_t nodes_per_pod = 0;
  std::int64_t num_pods = 0;
  std::int64_t leaves_per_pod = 0;  ///< one for each rail, or one for all cards
  std::int64_t pods_per_group = 0;
  std::int64_t num_groups = 0;
  std::int64_t spines_per_group = 0;
  std::int64_t num_cores = 0;
  std::int64_t pcie_switches_per_node = 0;  ///< one for each card, one without cards; 0: no PCIe links

  /// Precondition: find_problem(hardware) found none.
  explicit ClusterLayout(const Hardware& hardware);

  std::int64_t num_gpus() const { return num_nodes * gpus_per_node; }
  std::int64_t num_nics() const { return num_nodes * nics_per_node; }
  std::int64_t num_leaves() const { return num_pods * leaves_per_pod; }
  std::int64_t num_spines() const { return num_groups * spines_per_group; }
  std::int64_t num_trunks() const { return num_leaves() * spines_per_group; }
  std::int64_t num_core_trunks() const { return num_spines() * num_cores; }
  std::int64_t num_pcie_switches() const { return num_nodes * pcie_switches_per_node; }
  std::int64_t num_vertices() const;
  std::int64_t num_vertices(VertexKind kind) const;
  VertexKind kind_of_vertex(VertexIndex vertex) const;
  std::int64_t num_links() const;

  std::int64_t node_of_gpu(std::int64_t gpu) const { return gpu / gpus_per_node; }
  std::int64_t nic_of_gpu(std::int64_t gpu) const { return gpu / gpus_per_nic(); }
  std::int64_t gpus_per_nic() const { return gpus_per_node / nics_per_node; }
  /// Of a network card: which leaf of its pod it is plugged into. Precondition: a fabric.
  std::int64_t rail_of_nic(std::int64_t nic) const { return nic % leaves_per_pod; }
  /// The rail of the card that a GPU uses. Precondition: a fabric.
  std::int64_t rail_of_gpu(std::int64_t gpu) const { return rail_of_nic(nic_of_gpu(gpu)); }
  std::int64_t leaf_of_nic(std::int64_t nic) const {
    return pod_of_node(nic / nics_per_node) * leaves_per_pod + rail_of_nic(nic);
  }
  std::int64_t pod_of_node(std::int64_t node) const { return node / nodes_per_pod; }
  std::int64_t group_of_pod(std::int64_t pod) const { return pod / pods_per_group; }
  std::int64_t group_of_leaf(std::int64_t leaf) const { return group_of_pod(leaf / leaves_per_pod); }
  /// Precondition: PCIe links.
  std::int64_t pcie_switch_of_gpu(std::int64_t gpu) const {
    return gpu / (gpus_per_node / pcie_switches_per_node);
  }

  /// Of GPUs, in places; nothing where all cards of a pod share a leaf.
  std::optional<std::int32_t> rail_width() const;
  /// Where a link lies among those of a node's rails; nothing for core trunks, which rails share.
  /// Precondition: rail_width() has a value.
  struct RailOfLink {
    std::int64_t place = 0;        ///< within the node, of the first GPU that can use it
    std::int64_t links_apart = 0;  ///< how far on its like is for the next card
  };
  std::optional<RailOfLink> rail_of_link(LinkIndex link) const;

  /// In a pod; nothing where rails share a leaf, or nodes of a pod a spine, or with one pod.
  std::optional<std::int32_t> alike_nodes() const;
  /// Where a link lies among those of a pod's nodes: a trunk and a core trunk belong to the spine that the
  /// node's cards pick. Precondition: alike_nodes() has a value.
  struct NodeOfLink {
    std::int64_t node = 0;         ///< within the pod
    std::int64_t links_apart = 0;  ///< how far on its like is for the next node
  };
  NodeOfLink node_of_link(LinkIndex link) const;

  VertexIndex gpu_vertex(std::int64_t gpu) const;
  VertexIndex nvswitch_vertex(std::int64_t node) const;
  VertexIndex host_vertex(std::int64_t node) const;
  VertexIndex nic_vertex(std::int64_t nic) const;
  VertexIndex leaf_vertex(std::int64_t leaf) const;
  VertexIndex spine_vertex(std::int64_t spine) const;
  VertexIndex core_vertex(std::int64_t core) const;
  VertexIndex pcie_switch_vertex(std::int64_t pcie_switch) const;

  /// Up: away from the GPU; down: back.
  LinkIndex nvlink_up(std::int64_t gpu) const;
  LinkIndex nvlink_down(std::int64_t gpu) const;
  LinkIndex nic_up(std::int64_t nic) const;
  LinkIndex nic_down(std::int64_t nic) const;
  /// Precondition: leaf and spine are of one group.
  LinkIndex trunk_up(std::int64_t leaf, std::int64_t spine) const;
  LinkIndex trunk_down(std::int64_t leaf, std::int64_t spine) const;
  LinkIndex core_trunk_up(std::int64_t spine, std::int64_t core) const;
  LinkIndex core_trunk_down(std::int64_t spine, std::int64_t core) const;
  /// How many cards of a rail so many nodes have; without rails, cards.
  std::int64_t numbers_in(std::int64_t nodes) const { return nodes * nics_per_node / leaves_per_pod; }
  /// What payloads cross instead of `link` that are moved by so many nodes: whole pods, if it is a trunk,
  /// whole groups with as many cards of a rail for each spine, if it is a core trunk. Nothing where there is
  /// no such link.
  std::optional<LinkIndex> moved_by_nodes(LinkIndex link, std::int64_t nodes) const;
  /// A link's number among those of its kind, two directions together.
  struct NumberedLink {
    LinkKind kind = LinkKind::kNvLink;
    std::int64_t number = 0;
  };
  NumberedLink numbered(LinkIndex link) const;
  LinkKind kind_of_link(LinkIndex link) const { return numbered(link).kind; }
  /// Upward links are even.
  static bool is_upward(LinkIndex link) { return link % 2 == 0; }
  std::int64_t num_of_kind(LinkKind kind) const;
  bool is_core_trunk(LinkIndex link) const { return kind_of_link(link) == LinkKind::kCoreTrunk; }
  LinkIndex pcie_up(std::int64_t gpu) const;
  LinkIndex pcie_down(std::int64_t gpu) const;

 private:
  /// Where the links of each kind begin, two directions as one.
  std::array<std::int64_t, kNumLinkKinds> first_of_kind_{};
};

}  // namespace portolan
