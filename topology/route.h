#pragma once

#include "topology/cluster.h"
#include "topology/cluster_layout.h"

namespace portolan {

/// The links from one GPU to another by the rail policy (topology/README.md), in O(1) and without
/// allocation. Latency is left zero: it belongs to the links. Empty when source == destination.
Route rail_route(const ClusterLayout& layout, DeviceIndex source, DeviceIndex destination);

}  // namespace portolan
