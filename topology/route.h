#pragma once

#include "topology/cluster.h"
#include "topology/cluster_layout.h"

namespace portolan {

/// The links from one GPU to another by the rail policy (topology/README.md), in O(1) and without
/// allocation. Latency is left zero: it belongs to the links. Empty when source == destination.
Route rail_route(const ClusterLayout& layout, DeviceIndex source, DeviceIndex destination);

/// How many spines and core switches after those that the destination's card picks.
struct SwitchesAfter {
  std::int64_t spine = 0;
  std::int64_t core = 0;
};

/// From leaf to leaf of two pods. The switches depend on the destination alone, as with forwarding tables:
/// its card's number among those of its rail picks the spine; that number and the rail, as the rails share
/// the spines, the core switch.
LinkList trunks_between(const ClusterLayout& layout, std::int64_t source_nic, std::int64_t destination_nic,
                        SwitchesAfter after);

}  // namespace portolan
