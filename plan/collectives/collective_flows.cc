#include "plan/collectives/collective_flows.h"

#include <utility>

#include "plan/collectives/algorithms.h"
#include "plan/collectives/measured_time.h"
#include "plan/collectives/node_group.h"

namespace portolan {

namespace {

FlowSet flows_of(const Cluster& cluster, const NodeGroup& group, CollectiveKind kind,
                 CollectiveAlgorithm algorithm, Bytes payload) {
  const bool by_node = algorithm == CollectiveAlgorithm::kHierarchical && group.is_even();
  const bool by_tree = algorithm == CollectiveAlgorithm::kTree;
  switch (kind) {
    case CollectiveKind::kAllReduce:
      return by_node   ? hierarchical_flows(cluster, group, kind, payload)
             : by_tree ? tree_flows(cluster, group, kind, payload)
                       : ring_flows(cluster, group, kind, payload);
    case CollectiveKind::kReduceScatter:
    case CollectiveKind::kAllGather:
      return by_node ? hierarchical_flows(cluster, group, kind, payload)
                     : ring_flows(cluster, group, kind, payload);
    case CollectiveKind::kBroadcast:
      return by_tree ? tree_flows(cluster, group, kind, payload) : ring_flows(cluster, group, kind, payload);
    case CollectiveKind::kAllToAll:
      return by_node ? hierarchical_all_to_all(cluster, group, payload)
                     : direct_all_to_all(cluster, group, payload);
    case CollectiveKind::kShift:
      return shift_flows(cluster, group, payload);
  }
  return {};
}

std::optional<Seconds> measured(const Hardware& hardware, CollectiveKind kind, std::int64_t num_members,
                                Bytes payload) {
  return kind == CollectiveKind::kShift
             ? measured_time(hardware.collective_points, "send_receive", 2, payload)
             : measured_time(hardware.collective_points, collective_name(kind), num_members, payload);
}

/// Those that NCCL makes of sends and receives.
bool is_of_sends(CollectiveKind kind) {
  return kind == CollectiveKind::kAllToAll || kind == CollectiveKind::kShift;
}

}  // namespace

FlowSet collective_flows(const Cluster& cluster, CollectiveRequest request) {
  if (request.members.size() <= 1 && request.hops == nullptr) {
    return {};
  }
  const NodeGroup group = request.hops == nullptr ? NodeGroup(cluster, std::move(request.members))
                                                  : NodeGroup(cluster, request.ring, *request.hops);
  const auto time = measured(cluster.hardware(), request.kind, static_cast<std::int64_t>(group.num_members()),
                             request.payload);
  if (!time) {
    FlowSet set = flows_of(cluster, group, request.kind, request.algorithm, request.payload);
    if (!is_of_sends(request.kind)) {
      set.latency += cluster.hardware().collective_base.value;
    }
    return set;
  }
  FlowSet set = flows_of(cluster, group, request.kind, request.algorithm, Bytes(kGibi));
  set.latency = {};
  const double scale = time->value / uncontended_time(cluster, set).value;
  for (Flow& flow : set.flows) {
    flow.bytes *= scale;
  }
  return set;
}

}  // namespace portolan
