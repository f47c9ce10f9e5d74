#pragma once

#include <vector>

#include "base/quantity.h"
#include "topology/cluster.h"

namespace portolan {

/// In place of a device: the host of the other end's node.
inline constexpr DeviceIndex kHostEnd = -1;

/// One payload between two devices, or between a device and its node's host.
struct Flow {
  DeviceIndex source = 0;
  DeviceIndex destination = 0;
  double bytes = 0;

  bool operator==(const Flow&) const = default;
};

/// The same so many devices further; the host stays where it is.
inline Flow moved(Flow flow, DeviceIndex shift) {
  for (DeviceIndex* end : {&flow.source, &flow.destination}) {
    *end += *end == kHostEnd ? 0 : shift;
  }
  return flow;
}

/// A communication as flows that start together, over when all have arrived, after `latency`.
struct FlowSet {
  std::vector<Flow> flows;
  Seconds latency;

  bool operator==(const FlowSet&) const = default;
};

/// The links that it crosses. Precondition: with the host at an end, PCIe has figures.
Route route_of(const Cluster& cluster, const Flow& flow);

LinkList links_of(const Cluster& cluster, const Flow& flow);

/// Time of a flow set when nothing else uses its links: the busiest link's bytes over its bandwidth, and the
/// latency.
Seconds uncontended_time(const Cluster& cluster, const FlowSet& set);

}  // namespace portolan
