#include "topology/cluster_layout.h"

#include <cassert>

namespace portolan {

namespace {

/// find_problem() bounds GPUs and trunks so that every index fits 32 bits.
std::int32_t narrow(std::int64_t index) {
  assert(index >= 0 && index <= INT32_MAX);
  return static_cast<std::int32_t>(index);
}

}  // namespace

ClusterLayout::ClusterLayout(const Hardware& hardware)
    : num_nodes(hardware.num_nodes), gpus_per_node(hardware.gpus_per_node) {
  if (num_nodes == 1) {
    return;
  }
  nics_per_node = hardware.nics_per_node;
  nodes_per_pod = hardware.nodes_per_pod;
  num_pods = (num_nodes - 1) / nodes_per_pod + 1;
  num_spines = hardware.spines;
}

std::int64_t ClusterLayout::num_vertices() const {
  return num_gpus() + 2 * num_nodes + num_nics() + num_leaves() + num_spines;
}

std::int64_t ClusterLayout::num_links() const {
  return 2 * (num_gpus() + num_nics() + num_leaves() * num_spines);
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

LinkIndex ClusterLayout::nvlink_up(std::int64_t gpu) const { return narrow(2 * gpu); }
LinkIndex ClusterLayout::nvlink_down(std::int64_t gpu) const { return narrow(2 * gpu + 1); }
LinkIndex ClusterLayout::nic_up(std::int64_t nic) const { return narrow(2 * (num_gpus() + nic)); }
LinkIndex ClusterLayout::nic_down(std::int64_t nic) const { return narrow(2 * (num_gpus() + nic) + 1); }
LinkIndex ClusterLayout::trunk_up(std::int64_t leaf, std::int64_t spine) const {
  return narrow(2 * (num_gpus() + num_nics() + leaf * num_spines + spine));
}
LinkIndex ClusterLayout::trunk_down(std::int64_t leaf, std::int64_t spine) const {
  return narrow(2 * (num_gpus() + num_nics() + leaf * num_spines + spine) + 1);
}

}  // namespace portolan
