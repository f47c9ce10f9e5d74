#pragma once

#include <vector>

#include "plan/collectives/flow_set.h"
#include "plan/program.h"
#include "topology/cluster.h"

namespace portolan {

/// Communications of a step that meet on links, as they run at the same time: sends of all stages, or
/// collectives of all stages along the same axes. Others are taken to run before or after them.
struct TrafficClass {
  std::vector<Flow> flows;  ///< between nodes: one for each pair of devices that sends, all bytes of a step
};

/// What the ranks of `program` send from node to node in a step, by the algorithms of their collectives
/// (ring, tree ...): classes in the order in which the program has them first, flows ascending by their ends.
/// `cluster` has a device for each rank; rank r is on device r.
std::vector<TrafficClass> node_traffic(const Program& program, const Cluster& cluster);

}  // namespace portolan
