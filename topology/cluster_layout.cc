#include "topology/cluster_layout.h"

#include <algorithm>
#include <cassert>

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

std::optional<ClusterLayout::RailOfLink> ClusterLayout::rail_of_link(LinkIndex link) const {
  const std::int64_t width = *rail_width();
  const auto of_gpu = [&](std::int64_t gpu) { return RailOfLink{gpu % gpus_per_node, 2 * width}; };
  std::int64_t pair = link / 2;  // a direction each
  if (pair < num_gpus()) {
    return of_gpu(pair);
  }
  pair -= num_gpus();
  if (pair < num_nics()) {
    return RailOfLink{pair % nics_per_node * width, 2};
  }
  pair -= num_nics();
  if (pair < num_trunks()) {
    return RailOfLink{pair / spines_per_group % leaves_per_pod * width, 2 * spines_per_group};
  }
  pair -= num_trunks();
  if (pair < num_core_trunks()) {
    return std::nullopt;
  }
  return of_gpu(pair - num_core_trunks());
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
LinkIndex ClusterLayout::moved_by_nodes(LinkIndex link, std::int64_t nodes) const {
  const std::int64_t gpu_links_apart = 2 * nodes * gpus_per_node;
  std::int64_t pair = link / 2;  // a direction each
  if (pair < num_gpus()) {
    return narrow(link + gpu_links_apart);
  }
  pair -= num_gpus();
  if (pair < num_nics()) {
    return narrow(link + 2 * nodes * nics_per_node);
  }
  pair -= num_nics();
  const std::int64_t direction = link % 2;
  if (pair < num_trunks()) {
    const std::int64_t leaf = pair / spines_per_group + nodes / nodes_per_pod * leaves_per_pod;
    const std::int64_t place = wrapped(pair + numbers_in(nodes), spines_per_group);
    return narrow(2 * (num_gpus() + num_nics() + leaf * spines_per_group + place) + direction);
  }
  pair -= num_trunks();
  if (pair < num_core_trunks()) {
    const std::int64_t spines = nodes / (nodes_per_pod * pods_per_group) * spines_per_group;
    const std::int64_t turns = numbers_in(nodes) / spines_per_group;
    const std::int64_t core = core_of(link);
    const std::int64_t moved = wrapped(core + turns * leaves_per_pod, num_cores);
    return narrow(link + 2 * (spines * num_cores + moved - core));
  }
  return narrow(link + gpu_links_apart);
}

std::int64_t ClusterLayout::core_of(LinkIndex core_trunk) const {
  return (core_trunk / 2 - num_gpus() - num_nics() - num_trunks()) % num_cores;
}

LinkIndex ClusterLayout::pcie_up(std::int64_t gpu) const {
  return narrow(num_links() - 2 * (num_gpus() - gpu));
}
LinkIndex ClusterLayout::pcie_down(std::int64_t gpu) const { return pcie_up(gpu) + 1; }

}  // namespace portolan
