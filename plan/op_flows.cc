#include "plan/op_flows.h"

#include <algorithm>
#include <map>
#include <utility>

#include "plan/collectives/link_loads.h"

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

}  // namespace

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
  OpFlows flows = find(shape, stage);
  return of_stage.emplace_back(Known{std::move(shape), std::move(flows)}).flows;
}

OpFlows OpFlowsTable::find(const Op& op, std::int32_t stage) const {
  struct Routed {
    Flow flow;
    Seconds latency;
    LinkList route;
    std::size_t kind = 0;
  };
  const std::vector<FlowSet> sets = groups_.all_groups(op, stage);
  std::size_t num_flows = 0;
  for (const FlowSet& set : sets) {
    num_flows += set.flows.size();
  }
  std::vector<Routed> routed;
  routed.reserve(num_flows);
  std::map<std::pair<bool, std::size_t>, std::size_t> kinds;
  std::vector<LinkLoads> loads;  // by kind
  LinkLoads of_all(2 * num_flows);
  for (const FlowSet& set : sets) {
    for (const Flow& flow : set.flows) {
      Routed& one = routed.emplace_back(Routed{flow, set.latency, links_of(cluster_, flow)});
      const bool within_node = flow.source == kHostEnd || flow.destination == kHostEnd ||
                               cluster_.node_of(flow.source) == cluster_.node_of(flow.destination);
      const auto [place, is_new] = kinds.try_emplace({within_node, one.route.size()}, loads.size());
      if (is_new) {
        loads.emplace_back(2 * num_flows);  // most flows have few links of their own
      }
      one.kind = place->second;
      for (const LinkIndex link : one.route) {
        loads[one.kind].add(link, flow.bytes);
        of_all.add(link, flow.bytes);
      }
    }
  }
  OpFlows result;
  result.kinds.resize(loads.size());
  std::vector<double> longest_s(loads.size(), -1);
  for (const Routed& candidate : routed) {  // the first member's group comes first
    double time_s = 0;
    OpFlows::LinkBytes busiest;
    for (const LinkIndex link : candidate.route) {
      const double bytes = of_all.at(link);
      const double link_s = bytes / cluster_.link_bandwidths()[static_cast<std::size_t>(link)].value;
      if (link_s > time_s) {
        time_s = link_s;
        busiest = {link, bytes};
      }
    }
    time_s += candidate.latency.value;
    if (time_s > longest_s[candidate.kind]) {
      longest_s[candidate.kind] = time_s;
      OpFlows::Kind& kind = result.kinds[candidate.kind];
      kind.slowest = candidate.flow;
      kind.latency = candidate.latency;
      kind.route = candidate.route;
      kind.busiest = busiest;
    }
  }
  for (std::size_t k = 0; k < loads.size(); ++k) {
    OpFlows::Kind& kind = result.kinds[k];
    kind.own_on_busiest = loads[k].at(kind.busiest.link);
    kind.loads.reserve(loads[k].size());
    loads[k].for_each([&](LinkIndex link, double bytes) { kind.loads.push_back({link, bytes}); });
  }
  return result;
}

}  // namespace portolan
