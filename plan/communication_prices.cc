#include "plan/communication_prices.h"

#include <algorithm>

#include "plan/group_flows.h"
#include "plan/rank_place.h"

namespace portolan {

CommunicationPrices::Layout CommunicationPrices::layout_of(const Placement& placement, AxisSet members) {
  Layout layout{};
  std::size_t runs = 0;
  for (const Axis axis : placement.order()) {
    const std::int32_t degree = placement.degree(axis);
    const Tells tells = members.contains(axis)    ? Tells::kMembers
                        : axis == Axis::kPipeline ? Tells::kStages
                                                  : Tells::kGroups;
    if (degree > 1 && runs > 0 && layout[runs - 1].first == tells) {
      layout[runs - 1].second *= degree;
    } else if (degree > 1) {
      layout[runs++] = {tells, degree};
    }
  }
  return layout;
}

CommunicationLine CommunicationPrices::line(const Placement& placement, const Op& op, std::int32_t stage) {
  Op priced;
  priced.kind = op.kind;
  priced.axes = op.axes;
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
    if (cluster_.hardware().collective_points.empty() && op.collective == CollectiveKind::kAllGather) {
      priced.collective = CollectiveKind::kReduceScatter;  // the same flows
    }
  } else {
    priced.peer_offset = op.peer_offset;
  }
  const Key key{layout_of(placement, op.axes),
                priced.kind,
                priced.collective,
                priced.algorithm,
                priced.group,
                priced.group_size,
                priced.peer_offset,
                stage};
  auto found = lines_.find(key);
  if (found == lines_.end()) {
    const GroupFlows::Time time = GroupFlows(placement, cluster_).time_together(priced, stage);
    const CommunicationLine line{time.transfer.value / static_cast<double>(priced.bytes.value), time.latency};
    found = lines_.emplace(key, line).first;
  }
  return found->second;
}

const std::vector<CommunicationLine>& CommunicationPrices::sends(const Placement& placement) {
  const auto [found, is_new] = sends_.try_emplace(layout_of(placement, {Axis::kPipeline}));
  std::vector<CommunicationLine>& lines = found->second;
  if (!is_new) {
    return lines;
  }
  Op send;
  send.kind = OpKind::kSend;
  send.axes = {Axis::kPipeline};
  send.peer_offset = 1;
  const GroupFlows flows(placement, cluster_);
  std::vector<std::int32_t> unlike;  // stages that are placed in ways of their own: a handful
  for (std::int32_t stage = 0; stage + 1 < placement.degree(Axis::kPipeline); ++stage) {
    const auto like = std::find_if(unlike.begin(), unlike.end(),
                                   [&](std::int32_t other) { return flows.is_alike(send, other, stage); });
    if (like != unlike.end()) {
      lines.push_back(lines[static_cast<std::size_t>(*like)]);
    } else {
      unlike.push_back(stage);
      lines.push_back(line(placement, send, stage));
    }
  }
  return lines;
}

Seconds CommunicationPrices::time(const Placement& placement, const Op& op, std::int32_t stage) {
  return cluster_.hardware().collective_points.empty() ? line(placement, op, stage).of(op.bytes)
                                                       : GroupFlows(placement, cluster_).time_of(op, stage);
}

}  // namespace portolan
