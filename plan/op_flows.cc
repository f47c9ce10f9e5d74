#include "plan/op_flows.h"

#include <algorithm>
#include <utility>

#include "plan/flow_search.h"

namespace portolan {

namespace {

/// What of an op its flows depend on.
Op flow_shape(const Op& op) {
  Op shape;
  shape.kind = op.kind;
  shape.collective = op.collective;
  shape.algorithm = op.algorithm;
  shape.group = op.group;
  shape.axes = op.axes;
  shape.group_size = op.group_size;
  shape.peer_offset = op.peer_offset;
  shape.to_host = op.to_host;
  shape.bytes = op.bytes;
  return shape;
}

/// Gathers and scatters have the same flows.
bool alike_but_for_size(const Op& a, const Op& b) {
  const auto gathers = [](const Op& op) {
    return op.kind == OpKind::kCollective &&
           (op.collective == CollectiveKind::kAllGather || op.collective == CollectiveKind::kReduceScatter);
  };
  Op like_b = a;
  if (gathers(a) && gathers(b)) {
    like_b.collective = b.collective;
  }
  return flow_alike(like_b, b);
}

double times_as_large(const Op& op, const Op& other) {
  return op.bytes == other.bytes ? 1 : op.bytes / other.bytes;  // also of nothing
}

/// Flows of a payload so many times as large.
OpFlows scaled(OpFlows flows, double times) {
  for (OpFlows::Kind& kind : flows.kinds) {
    kind.slowest.bytes *= times;
    kind.busiest.bytes *= times;
    kind.times *= times;
  }
  flows.time.transfer = flows.time.transfer * times;
  return flows;
}

/// Between devices so much further that find the same.
OpFlows moved(OpFlows flows, const Cluster& cluster, DeviceIndex shift) {
  for (OpFlows::Kind& kind : flows.kinds) {
    kind.slowest = moved(kind.slowest, shift);
    kind.route = links_of(cluster, kind.slowest);
    kind.busiest.link = *cluster.moved(kind.busiest.link, shift);
    kind.shift += shift;
    kind.groups = kind.groups.moved(shift);
  }
  return flows;
}

}  // namespace

double OpFlows::Kind::bytes_told(const Cluster& cluster, LinkIndex told) const {
  const std::optional<LinkIndex> found = shift == 0 ? told : cluster.moved(told, -shift);
  return found ? loads->at(*found) * times : 0;
}

const OpFlows& OpFlowsTable::of(const Op& op, std::int32_t stage) {
  const bool is_receive = op.kind == OpKind::kReceive;
  if (is_receive) {
    stage += op.peer_offset;
  } else if (op.kind == OpKind::kCollective && op.group == GroupKind::kFirstAndLastStage) {
    stage = 0;
  }
  Op shape = flow_shape(op);
  if (is_receive) {
    shape.kind = OpKind::kSend;
    shape.peer_offset = -op.peer_offset;
  }
  std::deque<Known>& of_stage = known_[static_cast<std::size_t>(stage)];
  const auto found = std::find_if(of_stage.begin(), of_stage.end(), [&](const Known& known) {
    return known.shape.bytes == shape.bytes && flow_alike(known.shape, shape);
  });
  if (found != of_stage.end()) {
    return found->flows;
  }
  std::optional<OpFlows> flows = known_elsewhere(shape, stage);
  if (!flows) {
    flows = find_flows(groups_, cluster_, shape, stage);
  }
  return of_stage.emplace_back(Known{std::move(shape), std::move(*flows)}).flows;
}

std::optional<OpFlows> OpFlowsTable::known_elsewhere(const Op& op, std::int32_t stage) const {
  const bool proportional = cluster_.hardware().collective_points.empty();
  const auto is_like = [&](const Known& known) {
    return (known.shape.bytes == op.bytes && flow_alike(known.shape, op)) ||
           (proportional && known.flows.one_latency && known.shape.bytes.value > 0 &&
            alike_but_for_size(known.shape, op));
  };
  for (const Known& known : known_[static_cast<std::size_t>(stage)]) {
    if (is_like(known)) {
      return scaled(known.flows, times_as_large(op, known.shape));
    }
  }
  const bool moves = op.group != GroupKind::kFirstAndLastStage;
  for (std::size_t other = 0; moves && other < known_.size(); ++other) {
    for (const Known& known : known_[other]) {
      if (is_like(known) && groups_.is_alike(op, static_cast<std::int32_t>(other), stage)) {
        const auto stages = stage - static_cast<std::int32_t>(other);
        const DeviceIndex shift = stages * groups_.placement().stride(Axis::kPipeline);
        return moved(scaled(known.flows, times_as_large(op, known.shape)), cluster_, shift);
      }
    }
  }
  return std::nullopt;
}

}  // namespace portolan
