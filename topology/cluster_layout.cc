#include "topology/cluster_layout.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <numeric>

namespace portolan {

namespace {

/// find_problem() bounds GPUs and trunks so that every index fits 32 bits.
std::int32_t narrow(std::int64_t index) {
  assert(index >= 0 && index <= INT32_MAX);
  return static_cast<std::int32_t>(index);
}

/// Into 0 .. count - 1.
std::int64_t wrapped(std::int64_t place, std::int64_t count) { return (place % count + count) % count; }

}  // namespace

ClusterLayout::ClusterLayout(const Hardware& hardware)
    : num_nodes(hardware.num_nodes), gpus_per_node(hardware.gpus_per_node) {
  if (num_nodes > 1) {
    nics_per_node = hardware.nics_per_node;
    nodes_per_pod = hardware.nodes_per_pod;
    num_pods = (num_nodes - 1) / nodes_per_pod + 1;
    leaves_per_pod = hardware.rails ? nics_per_node : 1;
    pods_per_group = hardware.pods_per_group == 0 ? num_pods : hardware.pods_per_group;
    num_groups = (num_pods - 1) / pods_per_group + 1;
    spines_per_group = hardware.spines;
    num_cores = hardware.core_switches;
  }
  if (hardware.pcie) {
    pcie_switches_per_node = std::max<std::int64_t>(nics_per_node, 1);
  }
  const std::int64_t counts[] = {num_gpus(), num_nics(), num_trunks(), num_core_trunks()};
  std::partial_sum(std::begin(counts), std::end(counts), first_of_kind_.begin() + 1);
}

std::int64_t ClusterLayout::num_vertices(VertexKind kind) const {
  switch (kind) {
    case VertexKind::kGpu:
      return num_gpus();
    case VertexKind::kNvSwitch:
    case VertexKind::kHost:
      return num_nodes;
    case VertexKind::kNic:
      return num_nics();
    case VertexKind::kLeafSwitch:
      return num_leaves();
    case VertexKind::kSpineSwitch:
      return num_spines();
    case VertexKind::kCoreSwitch:
      return num_cores;
    case VertexKind::kPcieSwitch:
      return num_pcie_switches();
  }
  return 0;
}

VertexKind ClusterLayout::kind_of_vertex(VertexIndex vertex) const {
  using enum VertexKind;
  std::int64_t end = 0;
  for (const VertexKind kind : {kGpu, kNvSwitch, kHost, kNic, kLeafSwitch, kSpineSwitch, kCoreSwitch}) {
    end += num_vertices(kind);
    if (vertex < end) {
      return kind;
    }
  }
  return kPcieSwitch;
}

std::int64_t ClusterLayout::num_vertices() const {
  return num_gpus() + 2 * num_nodes + num_nics() + num_leaves() + num_spines() + num_cores +
         num_pcie_switches();
}

std::int64_t ClusterLayout::num_links() const {
  const std::int64_t num_pcie_links = pcie_switches_per_node > 0 ? num_gpus() : 0;
  return 2 * (num_gpus() + num_nics() + num_trunks() + num_core_trunks() + num_pcie_links);
}

std::optional<std::int32_t> ClusterLayout::rail_width() const {
  if (nics_per_node == 0) {
    return 1;
  }
  return leaves_per_pod == nics_per_node ? std::optional(narrow(gpus_per_nic())) : std::nullopt;
}

ClusterLayout::NumberedLink ClusterLayout::numbered(LinkIndex link) const {
  const std::int64_t number = link / 2;
  std::size_t kind = kNumLinkKinds - 1;
  while (number < first_of_kind_[kind]) {
    --kind;
  }
  return {static_cast<LinkKind>(kind), number - first_of_kind_[kind]};
}

std::int64_t ClusterLayout::num_of_kind(LinkKind kind) const {
  switch (kind) {
    case LinkKind::kNic:
      return num_nics();
    case LinkKind::kTrunk:
      return num_trunks();
    case LinkKind::kCoreTrunk:
      return num_core_trunks();
    default:
      return num_gpus();
  }
}

std::optional<ClusterLayout::RailOfLink> ClusterLayout::rail_of_link(LinkIndex link) const {
  const std::int64_t width = *rail_width();
  const auto [kind, number] = numbered(link);
  switch (kind) {
    case LinkKind::kNic:
      return RailOfLink{number % nics_per_node * width, 2};
    case LinkKind::kTrunk:
      return RailOfLink{number / spines_per_group % leaves_per_pod * width, 2 * spines_per_group};
    case LinkKind::kCoreTrunk:
      return std::nullopt;
    default:
      return RailOfLink{number % gpus_per_node, 2 * width};
  }
}

std::optional<std::int32_t> ClusterLayout::alike_nodes() const {
  const bool have_spines = num_pods > 1 && leaves_per_pod == nics_per_node;
  return have_spines && spines_per_group % nodes_per_pod == 0 ? std::optional(narrow(nodes_per_pod))
                                                              : std::nullopt;
}

ClusterLayout::NodeOfLink ClusterLayout::node_of_link(LinkIndex link) const {
  const auto [kind, number] = numbered(link);
  switch (kind) {
    case LinkKind::kNic:
      return {number / nics_per_node % nodes_per_pod, 2 * nics_per_node};
    case LinkKind::kTrunk:
      return {number % spines_per_group % nodes_per_pod, 2};
    case LinkKind::kCoreTrunk:
      return {number / num_cores % spines_per_group % nodes_per_pod, 2 * num_cores};
    default:
      return {number / gpus_per_node % nodes_per_pod, 2 * gpus_per_node};
  }
}

VertexIndex ClusterLayout::gpu_vertex(std::int64_t gpu) const { return narrow(gpu); }
VertexIndex ClusterLayout::nvswitch_vertex(std::int64_t node) const { return narrow(num_gpus() + node); }
VertexIndex ClusterLayout::host_vertex(std::int64_t node) const {
  return narrow(num_gpus() + num_nodes + node);
}
VertexIndex ClusterLayout::nic_vertex(std::int64_t nic) const {
  return narrow(num_gpus() + 2 * num_nodes + nic);
}
VertexIndex ClusterLayout::leaf_vertex(std::int64_t leaf) const {
  return narrow(num_gpus() + 2 * num_nodes + num_nics() + leaf);
}
VertexIndex ClusterLayout::spine_vertex(std::int64_t spine) const {
  return narrow(num_gpus() + 2 * num_nodes + num_nics() + num_leaves() + spine);
}
VertexIndex ClusterLayout::core_vertex(std::int64_t core) const {
  return narrow(num_gpus() + 2 * num_nodes + num_nics() + num_leaves() + num_spines() + core);
}
VertexIndex ClusterLayout::pcie_switch_vertex(std::int64_t pcie_switch) const {
  return narrow(num_vertices() - num_pcie_switches() + pcie_switch);
}

LinkIndex ClusterLayout::nvlink_up(std::int64_t gpu) const { return narrow(2 * gpu); }
LinkIndex ClusterLayout::nvlink_down(std::int64_t gpu) const { return nvlink_up(gpu) + 1; }
LinkIndex ClusterLayout::nic_up(std::int64_t nic) const { return narrow(2 * (num_gpus() + nic)); }
LinkIndex ClusterLayout::nic_down(std::int64_t nic) const { return nic_up(nic) + 1; }
LinkIndex ClusterLayout::trunk_up(std::int64_t leaf, std::int64_t spine) const {
  assert(group_of_leaf(leaf) == spine / spines_per_group);
  return narrow(2 * (num_gpus() + num_nics() + leaf * spines_per_group + spine % spines_per_group));
}
LinkIndex ClusterLayout::trunk_down(std::int64_t leaf, std::int64_t spine) const {
  return trunk_up(leaf, spine) + 1;
}
LinkIndex ClusterLayout::core_trunk_up(std::int64_t spine, std::int64_t core) const {
  return narrow(2 * (num_gpus() + num_nics() + num_trunks() + spine * num_cores + core));
}
LinkIndex ClusterLayout::core_trunk_down(std::int64_t spine, std::int64_t core) const {
  return core_trunk_up(spine, core) + 1;
}

std::optional<LinkIndex> ClusterLayout::moved_by_nodes(LinkIndex link, std::int64_t nodes) const {
  const auto [kind, number] = numbered(link);
  std::int64_t moved = number;
  switch (kind) {
    case LinkKind::kNic:
      moved += nodes * nics_per_node;
      break;
    case LinkKind::kTrunk: {
      const std::int64_t leaf = number / spines_per_group + nodes / nodes_per_pod * leaves_per_pod;
      moved = leaf * spines_per_group + wrapped(number + numbers_in(nodes), spines_per_group);
      break;
    }
    case LinkKind::kCoreTrunk: {
      const std::int64_t spine =
          number / num_cores + nodes / (nodes_per_pod * pods_per_group) * spines_per_group;
      const std::int64_t turns = numbers_in(nodes) / spines_per_group;
      moved = spine * num_cores + wrapped(number % num_cores + turns * leaves_per_pod, num_cores);
      break;
    }
    default:
      moved += nodes * gpus_per_node;
  }
  if (moved < 0 || moved >= num_of_kind(kind)) {
    return std::nullopt;
  }
  return narrow(link + 2 * (moved - number));
}

LinkIndex ClusterLayout::pcie_up(std::int64_t gpu) const {
  return narrow(num_links() - 2 * (num_gpus() - gpu));
}
LinkIndex ClusterLayout::pcie_down(std::int64_t gpu) const { return pcie_up(gpu) + 1; }

}  // namespace portolan
