#include "topology/switch_tree.h"

#include "topology/cluster_layout.h"

namespace portolan {

namespace {

double bytes_per_second(const LinkSpec& link, std::int64_t num_links) {
  return link.bandwidth.value.value * link.efficiency.value * static_cast<double>(num_links);
}

}  // namespace

SwitchTree switch_tree(const Hardware& hardware, const NodeList& nodes) {
  const ClusterLayout layout(hardware);
  SwitchTree tree;
  const auto add = [&](std::int64_t branches, std::int64_t nodes_below, double rate) {
    if (branches > 1) {
      tree.tiers.push_back({.branches = static_cast<std::int32_t>(branches),
                            .seconds_per_byte = static_cast<double>(nodes_below) / rate});
    }
  };
  if (hardware.num_nodes > 1) {
    const std::int64_t in_group = layout.nodes_per_pod * layout.pods_per_group;
    if (layout.num_groups > 1) {
      add(layout.num_groups, in_group,
          bytes_per_second(hardware.core_trunk,
                           layout.spines_per_group * layout.num_cores * hardware.links_per_core_trunk));
    }
    if (layout.num_pods > 1) {
      add(layout.num_groups > 1 ? layout.pods_per_group : layout.num_pods, layout.nodes_per_pod,
          bytes_per_second(hardware.trunk,
                           layout.leaves_per_pod * layout.spines_per_group * hardware.links_per_trunk));
    }
    add(layout.num_pods > 1 ? layout.nodes_per_pod : layout.num_nodes, 1,
        bytes_per_second(hardware.nic, layout.nics_per_node));
  }
  // Pods and groups are full but for the last, so that a node's number is its leaf's.
  tree.leaves = nodes;
  return tree;
}

}  // namespace portolan
