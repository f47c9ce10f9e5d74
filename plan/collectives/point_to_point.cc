#include <algorithm>

#include "plan/collectives/algorithms.h"
#include "plan/collectives/collective_flows.h"
#include "plan/collectives/measured_time.h"

namespace portolan {

FlowSet point_to_point(const Cluster& cluster, DeviceIndex source, DeviceIndex destination, Bytes payload) {
  if (source == destination) {
    return {};
  }
  const Route route = cluster.route(source, destination);
  if (const auto time = measured_time(cluster.hardware().collective_points, "send_receive", 2, payload)) {
    FlowSet set{.flows = {{source, destination, 1.0}}, .latency = {}};
    set.flows.front().bytes = time->value / uncontended_time(cluster, set).value;
    return set;
  }
  return {.flows = {{source, destination, static_cast<double>(payload.value)}}, .latency = route.latency};
}

FlowSet host_copy(const Cluster& cluster, DeviceIndex device, bool to_host, Bytes payload) {
  const Flow flow = {to_host ? device : kHostEnd, to_host ? kHostEnd : device,
                     static_cast<double>(payload.value)};
  return {.flows = {flow}, .latency = route_of(cluster, flow).latency};
}

FlowSet shift_flows(const Cluster& cluster, const NodeGroup& group, Bytes payload) {
  const std::vector<DeviceIndex>& members = group.members();
  FlowSet set;
  set.flows.reserve(members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    const DeviceIndex next = members[i + 1 == members.size() ? 0 : i + 1];
    set.flows.push_back({members[i], next, static_cast<double>(payload.value)});
  }
  const Hardware& hardware = cluster.hardware();
  set.latency = group.num_nodes() == 1 ? hardware.intra_node_step.value
                : group.most_on_a_node() == 1
                    ? hardware.inter_node_step.value
                    : std::max(hardware.intra_node_step.value, hardware.inter_node_step.value);
  return set;
}

}  // namespace portolan
