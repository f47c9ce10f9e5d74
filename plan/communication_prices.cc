#include "plan/communication_prices.h"

#include "plan/group_flows.h"
#include "plan/rank_place.h"

namespace portolan {

CommunicationLine CommunicationPrices::line(const Placement& placement, const Op& op, std::int32_t stage) {
  Op priced;
  double times = 1;
  priced.kind = op.kind;
  priced.axes = {};  // those along which ranks differ
  for (const Axis axis : kAllAxes) {
    if (op.axes.contains(axis) && placement.degree(axis) > 1) {
      priced.axes.insert(axis);
    }
  }
  priced.bytes = Bytes(kGibi);
  if (op.kind == OpKind::kCollective) {
    if (group_size_of(placement, 0, op) == 1) {  // no group has more members than the first
      return {};
    }
    priced.collective = op.collective;
    priced.algorithm = op.algorithm;
    priced.group = op.group;
    if (op.group == GroupKind::kBlock || op.group == GroupKind::kStride) {
      // One block of all is the whole group, and so is one from each of blocks of one.
      const std::int32_t whole = op.group == GroupKind::kBlock ? placement.num_along(op.axes) : 1;
      priced.group = op.group_size == whole ? GroupKind::kAxes : op.group;
      priced.group_size = op.group_size == whole ? priced.group_size : op.group_size;
    }
    if (cluster_.hardware().collective_points.empty()) {
      if (op.collective == CollectiveKind::kAllGather) {
        priced.collective = CollectiveKind::kReduceScatter;  // the same flows
      } else if (op.collective == CollectiveKind::kAllReduce && op.algorithm == CollectiveAlgorithm::kRing) {
        priced.collective = CollectiveKind::kReduceScatter;  // twice round the ring
        times = 2;
      }
    }
  } else {
    priced.peer_offset = op.peer_offset;
  }
  const Key key{placement,        priced.kind,        priced.collective,
                priced.algorithm, priced.group,       priced.group_size,
                priced.axes,      priced.peer_offset, stage};
  auto found = lines_.find(key);
  if (found == lines_.end()) {
    const GroupFlows::Time time = GroupFlows(placement, cluster_).time_together(priced, stage);
    const CommunicationLine line{time.transfer.value / static_cast<double>(priced.bytes.value), time.latency};
    found = lines_.emplace(key, line).first;
  }
  return {found->second.seconds_per_byte * times, found->second.latency * times};
}

Seconds CommunicationPrices::time(const Placement& placement, const Op& op, std::int32_t stage) {
  return cluster_.hardware().collective_points.empty() ? line(placement, op, stage).of(op.bytes)
                                                       : GroupFlows(placement, cluster_).time_of(op, stage);
}

}  // namespace portolan
