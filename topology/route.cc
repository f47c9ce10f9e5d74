#include "topology/route.h"

namespace portolan {

namespace {

/// NVLink up and down, then network card, trunk and trunk, network card.
constexpr std::size_t kMaxLinks = 6;

/// The GPU of the source's node that hands the payload to the destination's rail. Of several on that rail
/// it is the one in the destination's place: it needs no choice, and spreads the load as the
/// destinations are spread (NCCL's PXN does alike).
std::int64_t gateway_gpu(const ClusterLayout& layout, std::int64_t source, std::int64_t destination) {
  if (layout.rail_of_gpu(source) == layout.rail_of_gpu(destination)) {
    return source;
  }
  return layout.node_of_gpu(source) * layout.gpus_per_node + destination % layout.gpus_per_node;
}

void append_nvlink(const ClusterLayout& layout, std::int64_t from, std::int64_t to,
                   std::vector<LinkIndex>& links) {
  links.push_back(layout.nvlink_up(from));
  links.push_back(layout.nvlink_down(to));
}

}  // namespace

Route rail_route(const ClusterLayout& layout, DeviceIndex source, DeviceIndex destination) {
  Route route;
  if (source == destination) {
    return route;
  }
  route.links.reserve(kMaxLinks);
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
  route.links.push_back(layout.nic_up(layout.nic_of_gpu(gateway)));
  if (layout.pod_of_node(source_node) != layout.pod_of_node(destination_node)) {
    const std::int64_t rail = layout.rail_of_gpu(destination);
    const std::int64_t spine = destination_node % layout.num_spines;
    route.links.push_back(layout.trunk_up(layout.leaf_of(source_node, rail), spine));
    route.links.push_back(layout.trunk_down(layout.leaf_of(destination_node, rail), spine));
  }
  route.links.push_back(layout.nic_down(layout.nic_of_gpu(destination)));
  return route;
}

}  // namespace portolan
