#pragma once

#include <optional>
#include <string>

#include "topology/cluster.h"
#include "topology/cluster_condition.h"
#include "topology/cluster_layout.h"

namespace portolan {

/// The links from one GPU to another where some are dead: those of rail_route() as long as they live. Else
/// the first that live of, in this order: the destination's card and those after it in its node, over each
/// the source's card on its rail (without rails: its own and those after it), with the spine and the core
/// switch that the destination's card picks and those after them. A payload that arrives at another card than
/// the destination's goes on over the NVSwitch from a GPU of that card, as it is sent over one by
/// rail_route(). Latency is left zero. Nothing where no way lives.
std::optional<Route> living_route(const ClusterLayout& layout, const ClusterCondition& condition,
                                  DeviceIndex source, DeviceIndex destination);

/// Two GPUs of nodes that have not failed, between which no way lives: "no way from node0 to node3 lives".
/// Nothing: there is one between all. Looks at nodes and pods that dead links touch, and at one of the
/// others.
std::optional<std::string> find_unreachable(const ClusterLayout& layout, const ClusterCondition& condition);

}  // namespace portolan
