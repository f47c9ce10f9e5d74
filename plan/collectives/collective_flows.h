#pragma once

#include <vector>

#include "base/quantity.h"
#include "plan/collective.h"
#include "plan/collectives/flow_set.h"
#include "plan/collectives/node_group.h"
#include "plan/told_hops.h"
#include "topology/cluster.h"

namespace portolan {

/// A communication among a group of devices.
struct CollectiveRequest {
  CollectiveKind kind = CollectiveKind::kAllReduce;
  CollectiveAlgorithm algorithm = CollectiveAlgorithm::kRing;
  std::vector<DeviceIndex> members;  ///< distinct, in any order: what follows takes them in ascending order
  /// The whole vector, as each member holds it (all-reduce, broadcast from the first member) or they hold it
  /// together (gather, scatter); what each member holds before an all-to-all, a share of it for each member,
  /// and before a shift, all of it for the next member (the last member's for the first).
  Bytes payload;
  /// Of a ring, or a hierarchy of rings: without flows of which others tell, with `ring` in place of
  /// `members`.
  const ToldHops* hops = nullptr;
  RingMembers ring = {};
};

/// The flows of a collective; none with fewer than two members. Which algorithm moves which kind:
///
/// | kind                       | kRing         | kTree                 | kHierarchical             |
/// |----------------------------|---------------|-----------------------|---------------------------|
/// | all-reduce                 | ring          | double binary tree    | node, rails, node         |
/// | reduce-scatter, all-gather | ring          | ring: trees have none | node, rails; rails, node  |
/// | broadcast                  | pipelined ring| double binary tree    | ring                      |
/// | all-to-all                 | every pair    | every pair            | node, then rails          |
/// | shift                      | neighbours    | neighbours            | neighbours                |
///
/// Hierarchical falls back to what stands under kRing where nodes hold unequal numbers of members; where each
/// holds one or one holds all, both are the same. With measured points of the kind in the hardware file, the
/// time is theirs whatever the algorithm, and the flows are sized to take it; of a shift those of a send.
///
/// All steps of a collective are pipelined: their payloads move at once, and what each step costs is in the
/// latency, from intra_node_step and inter_node_step of the hardware; those that are not made of sends have
/// collective_base once.
FlowSet collective_flows(const Cluster& cluster, CollectiveRequest request);

/// A copy between a device and its node's host: bytes / bandwidth + latency of PCIe. Precondition: it has
/// figures.
FlowSet host_copy(const Cluster& cluster, DeviceIndex device, bool to_host, Bytes payload);

/// A send: bytes / bandwidth + latency of the route, or the measured time.
FlowSet point_to_point(const Cluster& cluster, DeviceIndex source, DeviceIndex destination, Bytes payload);

}  // namespace portolan
