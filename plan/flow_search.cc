#include "plan/flow_search.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "plan/collectives/paged_loads.h"

namespace portolan {

namespace {

/// Looks at every flow that tells of others, and of those at what rails share.
class FlowSearch {
 public:
  FlowSearch(const Cluster& cluster, const ToldRails& rails)
      : cluster_(cluster), rails_(rails), of_kinds_together_(cluster), others_s_(cluster) {}

  OpFlows run(const std::vector<FlowSet>& sets) {
    std::size_t num_flows = 0;
    for (const FlowSet& set : sets) {
      num_flows += set.flows.size();
      result_.one_latency = result_.one_latency && set.latency == sets.front().latency;
    }
    candidates_.reserve(num_flows);
    for (const FlowSet& set : sets) {
      add(set);
    }
    add_other_rails();
    for (const Candidate& candidate : candidates_) {
      compare(candidate);
    }
    for (std::size_t k = 0; k < loads_.size(); ++k) {
      OpFlows::Kind& kind = result_.kinds[k];
      kind.route = links_of(cluster_, kind.slowest);
      kind.rails = rails_;
      const LinkIndex told = rails_.told(cluster_, kind.busiest.link);
      kind.busiest.bytes = of_all().at(told);
      kind.own_on_busiest = loads_[k].at(told);
      loads_[k].for_each([&](LinkIndex link, double bytes) { kind.loads.push_back({link, bytes}); });
    }
    return std::move(result_);
  }

 private:
  struct Candidate {
    Flow flow;
    Seconds latency;
    LinkList route;
    std::size_t kind = 0;
  };

  void add(const FlowSet& set) {
    for (const Flow& flow : set.flows) {
      const LinkList route = links_of(cluster_, flow);
      const std::size_t kind = kind_of(flow, route);
      for (const LinkIndex link : route) {
        loads_[kind].add(link, flow.bytes);
      }
      candidates_.push_back({flow, set.latency, route, kind});
    }
  }

  void add_other_rails() {
    std::vector<LinkIndex> told_trunks;
    for (PagedLoads& of_kind : loads_) {
      for (const LinkIndex trunk : rails_.add_others_on_core(cluster_, of_kind)) {
        told_trunks.push_back(trunk);
      }
      if (loads_.size() > 1) {
        of_kind.for_each([&](LinkIndex link, double bytes) { of_kinds_together_.add(link, bytes); });
      }
    }
    for (const LinkIndex trunk : told_trunks) {
      double longest_s = 0;
      rails_.for_each_other_on_core(cluster_, trunk, [&](LinkIndex other, std::int32_t) {
        longest_s = std::max(longest_s, seconds(other));
      });
      others_s_.add(trunk, longest_s - others_s_.at(trunk));
    }
  }

  std::size_t kind_of(const Flow& flow, const LinkList& route) {
    const bool within_node = flow.source == kHostEnd || flow.destination == kHostEnd ||
                             cluster_.node_of(flow.source) == cluster_.node_of(flow.destination);
    const auto [place, is_new] = kinds_.try_emplace({within_node, route.size()}, loads_.size());
    if (is_new) {
      loads_.emplace_back(cluster_);
      result_.kinds.emplace_back();
      longest_s_.push_back(-1);
    }
    return place->second;
  }

  const PagedLoads& of_all() const { return loads_.size() > 1 ? of_kinds_together_ : loads_.front(); }

  double seconds(LinkIndex link) const {
    return of_all().at(link) / cluster_.link_bandwidths()[static_cast<std::size_t>(link)].value;
  }

  /// The first member's group comes first.
  void compare(const Candidate& candidate) {
    double& longest_s = longest_s_[candidate.kind];
    OpFlows::Kind& kind = result_.kinds[candidate.kind];
    for (const LinkIndex link : candidate.route) {
      const double time_s = seconds(link) + candidate.latency.value;
      if (time_s > longest_s) {
        longest_s = time_s;
        set_slowest(kind, candidate, 0, link);
      }
    }
    for (const LinkIndex link : candidate.route) {
      if (others_s_.at(link) + candidate.latency.value > longest_s) {
        rails_.for_each_other_on_core(cluster_, link, [&](LinkIndex other, std::int32_t places) {
          const double time_s = seconds(other) + candidate.latency.value;
          if (time_s > longest_s) {
            longest_s = time_s;
            set_slowest(kind, candidate, places, other);
          }
        });
      }
    }
  }

  /// The flow that is so many places further.
  void set_slowest(OpFlows::Kind& kind, const Candidate& candidate, std::int32_t places,
                   LinkIndex busiest) const {
    kind.slowest = moved(candidate.flow, places);
    kind.latency = candidate.latency;
    kind.busiest.link = busiest;
  }

  const Cluster& cluster_;
  const ToldRails rails_;
  std::vector<Candidate> candidates_;
  std::map<std::pair<bool, std::size_t>, std::size_t> kinds_;
  std::vector<PagedLoads> loads_;  ///< by kind
  PagedLoads of_kinds_together_;   ///< where there are several
  PagedLoads others_s_;  ///< the longest that others take over what they cross in place of a core trunk
  std::vector<double> longest_s_;  ///< by kind
  OpFlows result_;
};

}  // namespace

OpFlows find_flows(const GroupFlows& groups, const Cluster& cluster, const Op& op, std::int32_t stage) {
  return FlowSearch(cluster, groups.told_rails(op)).run(groups.told_groups(op, stage));
}

}  // namespace portolan
