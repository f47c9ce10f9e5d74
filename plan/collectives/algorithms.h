#pragma once

#include "plan/collective.h"
#include "plan/collectives/flow_set.h"
#include "plan/collectives/node_group.h"

namespace portolan {

// One function a family of algorithms, each in the file of its name. Preconditions: at least two members;
// payload as in CollectiveRequest. Measured points are the caller's business.

/// All-reduce, reduce-scatter and all-gather: each member sends 2 (n-1)/n (all-reduce) or (n-1)/n of the
/// payload to the next, in as many turns of the ring. Broadcast: each member passes the payload on, but for
/// the last. Members that share nodes use one ring a rail. Source of the volumes: Patarasuk and Yuan,
/// JPDC 2009; nccl-tests, PERFORMANCE.md.
FlowSet ring_flows(const Cluster& cluster, const NodeGroup& group, CollectiveKind kind, Bytes payload);

/// All-reduce and broadcast over two binary trees of nodes with half of the payload each, a chain in each
/// node. A node that is inside one tree is a leaf of the other, so that none sends or receives more than the
/// payload each way (up and down); the latency grows with the logarithm of the nodes. Source: Sanders, Speck
/// and Traeff, Parallel Computing 35 (2009); NCCL 2.4.
FlowSet tree_flows(const Cluster& cluster, const NodeGroup& group, CollectiveKind kind, Bytes payload);

/// All-reduce, reduce-scatter and all-gather: rings within nodes, and between nodes one ring a rail over each
/// rail's share of the payload. Source: Cho, Finkler and Kung, BlueConnect, MLSys 2019. Precondition:
/// group.is_even().
FlowSet hierarchical_flows(const Cluster& cluster, const NodeGroup& group, CollectiveKind kind,
                           Bytes payload);

/// Every member sends every other payload/n; a round for each other member. The flows are bundled: one from
/// each member for each kind of path, sized so that they take exactly what all pairs take on the busiest
/// link. Cost: a route for each pair.
/// Rounds of pairwise exchange: Thakur, Rabenseifner and Gropp, IJHPCA 2005.
FlowSet direct_all_to_all(const Cluster& cluster, const NodeGroup& group, Bytes payload);

/// The same in two steps: in its node, a member hands each other member what is meant for that one's place in
/// any node; then places exchange along their rails. Fewer and larger messages. Source: Rajbhandari et al.,
/// DeepSpeed-MoE, ICML 2022, section 5.2. Precondition: group.is_even().
FlowSet hierarchical_all_to_all(const Cluster& cluster, const NodeGroup& group, Bytes payload);

/// Each member sends its payload to the next, the last to the first, in one step.
FlowSet shift_flows(const Cluster& cluster, const NodeGroup& group, Bytes payload);

}  // namespace portolan
