#include "topology/route.h"

namespace portolan {

namespace {

/// The GPU of the source's node that hands the payload to the destination's rail. Of several on that rail
/// it is the one in the destination's place: it needs no choice, and spreads the load as the
/// destinations are spread (NCCL's PXN does alike).
std::int64_t gateway_gpu(const ClusterLayout& layout, std::int64_t source, std::int64_t destination) {
  if (layout.rail_of_gpu(source) == layout.rail_of_gpu(destination)) {
    return source;
  }
  return layout.node_of_gpu(source) * layout.gpus_per_node + destination % layout.gpus_per_node;
}

void append_nvlink(const ClusterLayout& layout, std::int64_t from, std::int64_t to, LinkList& links) {
  links.push_back(layout.nvlink_up(from));
  links.push_back(layout.nvlink_down(to));
}

/// As trunks_between(), behind `links`.
void append_trunks(const ClusterLayout& layout, std::int64_t source_nic, std::int64_t destination_nic,
                   SwitchesAfter after, LinkList& links) {
  const std::int64_t source_leaf = layout.leaf_of_nic(source_nic);
  const std::int64_t destination_leaf = layout.leaf_of_nic(destination_nic);
  const std::int64_t source_group = layout.group_of_leaf(source_leaf);
  const std::int64_t destination_group = layout.group_of_leaf(destination_leaf);
  const std::int64_t number = destination_nic / layout.leaves_per_pod;
  const std::int64_t place = (number + after.spine) % layout.spines_per_group;
  const std::int64_t first_spine = source_group * layout.spines_per_group + place;
  const std::int64_t last_spine = destination_group * layout.spines_per_group + place;
  links.push_back(layout.trunk_up(source_leaf, first_spine));
  if (source_group != destination_group) {
    const std::int64_t turn = number / layout.spines_per_group;
    const std::int64_t rail = layout.rail_of_nic(destination_nic);
    const std::int64_t core = (turn * layout.leaves_per_pod + rail + after.core) % layout.num_cores;
    links.push_back(layout.core_trunk_up(first_spine, core));
    links.push_back(layout.core_trunk_down(last_spine, core));
  }
  links.push_back(layout.trunk_down(destination_leaf, last_spine));
}

}  // namespace

Route rail_route(const ClusterLayout& layout, DeviceIndex source, DeviceIndex destination) {
  Route route;
  if (source == destination) {
    return route;
  }
  const std::int64_t source_node = layout.node_of_gpu(source);
  const std::int64_t destination_node = layout.node_of_gpu(destination);
  if (source_node == destination_node) {
    append_nvlink(layout, source, destination, route.links);
    return route;
  }
  const std::int64_t gateway = gateway_gpu(layout, source, destination);
  if (gateway != source) {
    append_nvlink(layout, source, gateway, route.links);
  }
  const bool has_pcie = layout.pcie_switches_per_node > 0;
  if (has_pcie) {
    route.links.push_back(layout.pcie_up(gateway));
  }
  const std::int64_t source_nic = layout.nic_of_gpu(gateway);
  const std::int64_t destination_nic = layout.nic_of_gpu(destination);
  route.links.push_back(layout.nic_up(source_nic));
  if (layout.pod_of_node(source_node) != layout.pod_of_node(destination_node)) {
    append_trunks(layout, source_nic, destination_nic, {}, route.links);
  }
  route.links.push_back(layout.nic_down(destination_nic));
  if (has_pcie) {
    route.links.push_back(layout.pcie_down(destination));
  }
  return route;
}

LinkList trunks_between(const ClusterLayout& layout, std::int64_t source_nic, std::int64_t destination_nic,
                        SwitchesAfter after) {
  LinkList links;
  append_trunks(layout, source_nic, destination_nic, after, links);
  return links;
}

}  // namespace portolan
