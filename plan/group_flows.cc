#include "plan/group_flows.h"

#include <algorithm>

#include "plan/collectives/link_loads.h"
#include "plan/rank_place.h"

namespace portolan {

bool flow_alike(const Op& a, const Op& b) {
  return a.kind == b.kind && a.collective == b.collective && a.algorithm == b.algorithm &&
         a.group == b.group && a.axes == b.axes && a.group_size == b.group_size &&
         a.peer_offset == b.peer_offset && a.to_host == b.to_host;
}

FlowSet GroupFlows::of_group(const Op& op, std::int32_t rank) const {
  if (op.kind == OpKind::kCollective) {
    return collective_flows(cluster_, {.kind = op.collective,
                                       .algorithm = op.algorithm,
                                       .members = group_of(placement_, rank, op),
                                       .payload = op.bytes});
  }
  if (op.kind == OpKind::kCopy) {
    return host_copy(cluster_, rank, op.to_host, op.bytes);
  }
  const std::int32_t peer = peer_of(placement_, rank, op);
  const bool sends = op.kind == OpKind::kSend;
  return point_to_point(cluster_, sends ? rank : peer, sends ? peer : rank, op.bytes);
}

std::vector<std::int32_t> GroupFlows::leaders(const Op& op, std::int32_t stage) const {
  constexpr AxisSet kOfStage = {Axis::kTensor, Axis::kContext, Axis::kExpert, Axis::kData};
  Coordinates first{};
  first[static_cast<std::size_t>(Axis::kPipeline)] = stage;
  std::vector<std::int32_t> ranks = placement_.ranks_along(placement_.rank_of(first), kOfStage);
  if (op.kind == OpKind::kCollective && op.group != GroupKind::kFirstAndLastStage) {
    std::erase_if(ranks, [&](std::int32_t rank) { return leader_of(placement_, rank, op) != rank; });
  }
  return ranks;
}

std::vector<FlowSet> GroupFlows::all_groups(const Op& op, std::int32_t stage) const {
  std::vector<FlowSet> sets;
  const std::vector<std::int32_t> ranks = leaders(op, stage);
  sets.reserve(ranks.size());
  for (const std::int32_t rank : ranks) {
    sets.push_back(of_group(op, rank));
  }
  return sets;
}

GroupFlows::Time GroupFlows::time_together(const Op& op, std::int32_t stage) const {
  LinkLoads loads;
  Seconds latency;
  const std::vector<std::int32_t> ranks = leaders(op, stage);
  // Groups within nodes share no links: one tells for all.
  const bool alike =
      op.kind == OpKind::kCollective && op.group != GroupKind::kFirstAndLastStage && stay_in_nodes(op, stage);
  for (const std::int32_t rank : ranks) {
    const FlowSet set = of_group(op, rank);
    loads.add(cluster_, set);
    latency = std::max(latency, set.latency);
    if (alike) {
      break;
    }
  }
  return {.transfer = loads.busiest(cluster_), .latency = latency};
}

bool GroupFlows::stay_in_nodes(const Op& op, std::int32_t stage) const {
  const std::int32_t last = placement_.num_along(op.axes) - 1;
  const std::vector<std::int32_t> ranks = leaders(op, stage);
  return std::all_of(ranks.begin(), ranks.end(), [&](std::int32_t rank) {
    return cluster_.node_of(placement_.rank_along(rank, op.axes, 0)) ==
           cluster_.node_of(placement_.rank_along(rank, op.axes, last));
  });
}

}  // namespace portolan
