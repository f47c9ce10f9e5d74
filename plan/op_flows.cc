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

/// Looks at every flow that tells of others, and of those at what rails share.
class FlowSearch {
 public:
  FlowSearch(const Cluster& cluster, const ToldRails& rails) : cluster_(cluster), rails_(rails) {}

  OpFlows run(const std::vector<FlowSet>& sets) {
    for (const FlowSet& set : sets) {
      num_flows_ += set.flows.size();
    }
    candidates_.reserve(num_flows_);
    for (const FlowSet& set : sets) {
      add(set);
    }
    if (loads_.size() > 1) {
      of_kinds_together_ = LinkLoads(2 * num_flows_);
      for (const LinkLoads& of_kind : loads_) {
        of_kind.for_each([&](LinkIndex link, double bytes) { of_kinds_together_.add(link, bytes); });
      }
    }
    for (const Candidate& candidate : candidates_) {
      compare(candidate);
    }
    for (std::size_t k = 0; k < loads_.size(); ++k) {
      OpFlows::Kind& kind = result_.kinds[k];
      kind.route = links_of(cluster_, kind.slowest);
      kind.rails = rails_;
      kind.own_on_busiest = loads_[k].at(rails_.told(cluster_, kind.busiest.link));
      kind.loads.reserve(loads_[k].size());
      loads_[k].for_each([&](LinkIndex link, double bytes) { kind.loads.push_back({link, bytes}); });
    }
    return std::move(result_);
  }

 private:
  struct Candidate {
    Flow flow;
    Seconds latency;
    LinkList links;  ///< of its route; of a flow that another tells of, the core trunks
    std::size_t kind = 0;
  };

  void add(const FlowSet& set) {
    for (const Flow& flow : set.flows) {
      const LinkList route = links_of(cluster_, flow);
      const std::size_t kind = kind_of(flow, route);
      add({flow, set.latency, route, kind});
      rails_.for_each_on_core(cluster_, flow, [&](const Flow& like, const LinkList& trunks) {
        add({like, set.latency, trunks, kind});
      });
    }
  }

  void add(const Candidate& candidate) {
    for (const LinkIndex link : candidate.links) {
      loads_[candidate.kind].add(link, candidate.flow.bytes);
    }
    candidates_.push_back(candidate);
  }

  std::size_t kind_of(const Flow& flow, const LinkList& route) {
    const bool within_node = flow.source == kHostEnd || flow.destination == kHostEnd ||
                             cluster_.node_of(flow.source) == cluster_.node_of(flow.destination);
    const auto [place, is_new] = kinds_.try_emplace({within_node, route.size()}, loads_.size());
    if (is_new) {
      loads_.emplace_back(2 * num_flows_);  // most flows have few links of their own
      result_.kinds.emplace_back();
      longest_s_.push_back(-1);
    }
    return place->second;
  }

  /// The first member's group comes first.
  void compare(const Candidate& candidate) {
    const LinkLoads& of_all = loads_.size() > 1 ? of_kinds_together_ : loads_.front();
    double time_s = 0;
    OpFlows::LinkBytes busiest;
    for (const LinkIndex link : candidate.links) {
      const double bytes = of_all.at(link);
      const double link_s = bytes / cluster_.link_bandwidths()[static_cast<std::size_t>(link)].value;
      if (link_s > time_s) {
        time_s = link_s;
        busiest = {link, bytes};
      }
    }
    time_s += candidate.latency.value;
    if (time_s > longest_s_[candidate.kind]) {
      longest_s_[candidate.kind] = time_s;
      OpFlows::Kind& kind = result_.kinds[candidate.kind];
      kind.slowest = candidate.flow;
      kind.latency = candidate.latency;
      kind.busiest = busiest;
    }
  }

  const Cluster& cluster_;
  const ToldRails rails_;
  std::size_t num_flows_ = 0;
  std::vector<Candidate> candidates_;
  std::map<std::pair<bool, std::size_t>, std::size_t> kinds_;
  std::vector<LinkLoads> loads_;   ///< by kind
  LinkLoads of_kinds_together_;    ///< where there are several
  std::vector<double> longest_s_;  ///< by kind
  OpFlows result_;
};

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
  FlowSearch search(cluster_, groups_.told_rails(op));
  return search.run(groups_.told_groups(op, stage));
}

}  // namespace portolan
