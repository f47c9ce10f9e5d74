#include "plan/flow_search.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "plan/collectives/link_table.h"

namespace portolan {

namespace {

/// Looks at every flow that tells of others, and of those at what rails share. Links are numbered as they are
/// first crossed.
class FlowSearch {
 public:
  FlowSearch(const Cluster& cluster, const ToldGroups& groups) : cluster_(cluster), groups_(groups) {}

  OpFlows run(const std::vector<FlowSet>& sets) {
    std::size_t num_flows = 0;
    for (const FlowSet& set : sets) {
      num_flows += set.flows.size();
      result_.one_latency = result_.one_latency && set.latency == sets.front().latency;
      result_.time.latency = std::max(result_.time.latency, set.latency);
    }
    candidates_.reserve(num_flows);
    crossed_.reserve(num_flows * kUsualRoute);
    links_.reserve(num_flows * kUsualRoute);
    number_of_.expect(num_flows * kUsualRoute);
    for (const FlowSet& set : sets) {
      for (const Flow& flow : set.flows) {
        add(flow, set.latency);
      }
    }
    add_other_rails();
    time_links();
    for (const Candidate& candidate : candidates_) {
      compare(candidate);
    }
    for (std::size_t k = 0; k < kinds_.size(); ++k) {
      finish(k);
    }
    return std::move(result_);
  }

 private:
  using Number = std::uint32_t;
  static constexpr std::size_t kUsualRoute = 6;  ///< links; most flows cross others
  struct Candidate {
    Flow flow;
    Seconds latency;
    std::size_t kind = 0;
    std::size_t first_crossed = 0;  ///< in crossed_
    std::size_t num_crossed = 0;
  };
  /// A core trunk that told flows cross, and those that others cross in its place.
  struct ToldTrunk {
    Number number = 0;
    std::vector<Number> others;
  };
  struct Kind {
    std::vector<double> bytes;  ///< by number, as far as it crosses any
    double longest_s = -1;

    double on(Number number) const { return number < bytes.size() ? bytes[number] : 0; }
  };

  Number number_of(LinkIndex link) {
    Number& known = number_of_[link];  // 0: none yet
    if (known == 0) {
      links_.push_back(link);
      known = static_cast<Number>(links_.size());
    }
    return known - 1;
  }

  void add_bytes(Kind& kind, Number number, double bytes) const {
    if (number >= kind.bytes.size()) {
      kind.bytes.resize(std::max(links_.size(), 2 * kind.bytes.size()));
    }
    kind.bytes[number] += bytes;
  }

  void add(const Flow& flow, Seconds latency) {
    const LinkList route = links_of(cluster_, flow);
    const std::size_t kind = kind_of(flow, route);
    candidates_.push_back({flow, latency, kind, crossed_.size(), route.size()});
    for (const LinkIndex link : route) {
      const LinkIndex told = groups_.hops() ? groups_.told(cluster_, link) : link;
      crossed_.push_back(number_of(told));
      // What tells of the others crosses their links too.
      if (told == link) {
        add_bytes(kinds_[kind], crossed_.back(), flow.bytes);
      }
    }
  }

  std::size_t kind_of(const Flow& flow, const LinkList& route) {
    const bool within_node = flow.source == kHostEnd || flow.destination == kHostEnd ||
                             cluster_.node_of(flow.source) == cluster_.node_of(flow.destination);
    const auto [place, is_new] = index_of_kind_.try_emplace({within_node, route.size()}, kinds_.size());
    if (is_new) {
      kinds_.emplace_back();
      result_.kinds.emplace_back();
    }
    return place->second;
  }

  void add_other_rails() {
    if (groups_.num_rails() == 1) {
      return;
    }
    const auto num_crossed = static_cast<Number>(links_.size());
    for (Number number = 0; number < num_crossed; ++number) {
      if (cluster_.is_core_trunk(links_[number])) {
        ToldTrunk& told = told_trunks_.emplace_back(ToldTrunk{number, {}});
        for_each_other(number,
                       [&](LinkIndex other, std::int32_t) { told.others.push_back(number_of(other)); });
      }
    }
    for (Kind& kind : kinds_) {
      const std::vector<double> told_bytes = kind.bytes;
      for (const ToldTrunk& told : told_trunks_) {
        const double bytes = told.number < told_bytes.size() ? told_bytes[told.number] : 0;
        for (const Number other : told.others) {
          add_bytes(kind, other, bytes);
        }
      }
    }
  }

  template <typename Visit>
  void for_each_other(Number trunk, const Visit& visit) const {
    groups_.for_each_other_on_core(cluster_, links_[trunk], visit);
  }

  /// What all kinds take over each link, and over what others cross in place of a core trunk.
  void time_links() {
    seconds_.resize(links_.size());
    others_s_.resize(links_.size());
    double longest_s = 0;
    for (Number number = 0; number < links_.size(); ++number) {
      seconds_[number] = bytes_of_all(number) / cluster_.bandwidth(links_[number]).value;
      longest_s = std::max(longest_s, seconds_[number]);
    }
    result_.time.transfer = Seconds(longest_s);
    for (const ToldTrunk& told : told_trunks_) {
      for (const Number other : told.others) {
        others_s_[told.number] = std::max(others_s_[told.number], seconds(other));
      }
    }
  }

  double bytes_of_all(Number number) const {
    double bytes = 0;
    for (const Kind& kind : kinds_) {
      bytes += kind.on(number);
    }
    return bytes;
  }
  double seconds(Number number) const { return seconds_[number]; }

  /// The first member's group comes first.
  void compare(const Candidate& candidate) {
    double& longest_s = kinds_[candidate.kind].longest_s;
    const auto crossed = crossed_.begin() + static_cast<std::ptrdiff_t>(candidate.first_crossed);
    const auto end = crossed + static_cast<std::ptrdiff_t>(candidate.num_crossed);
    for (auto link = crossed; link != end; ++link) {
      const double time_s = seconds(*link) + candidate.latency.value;
      if (time_s > longest_s) {
        longest_s = time_s;
        const LinkList route = links_of(cluster_, candidate.flow);
        set_slowest(candidate, 0, route.begin()[link - crossed]);
      }
    }
    for (auto link = crossed; link != end; ++link) {
      if (others_s_[*link] + candidate.latency.value > longest_s) {
        for_each_other(*link, [&](LinkIndex other, std::int32_t places) {
          const double time_s = seconds(number_of(other)) + candidate.latency.value;
          if (time_s > longest_s) {
            longest_s = time_s;
            set_slowest(candidate, places, other);
          }
        });
      }
    }
  }

  /// The flow that is so many places further.
  void set_slowest(const Candidate& candidate, std::int32_t places, LinkIndex busiest) {
    OpFlows::Kind& kind = result_.kinds[candidate.kind];
    kind.slowest = moved(candidate.flow, places);
    kind.latency = candidate.latency;
    kind.busiest.link = busiest;
  }

  void finish(std::size_t k) {
    OpFlows::Kind& kind = result_.kinds[k];
    kind.route = links_of(cluster_, kind.slowest);
    kind.groups = groups_;
    const Number told = number_of(groups_.told(cluster_, kind.busiest.link));
    kind.busiest.bytes = bytes_of_all(told);
    auto loads = std::make_shared<LinkLoads>(links_.size());
    for (Number number = 0; number < links_.size(); ++number) {
      if (const double bytes = kinds_[k].on(number); bytes > 0) {
        loads->add(links_[number], bytes);
      }
    }
    kind.loads = std::move(loads);
  }

  const Cluster& cluster_;
  const ToldGroups groups_;
  LinkTable<Number> number_of_;   ///< one more than it is
  std::vector<LinkIndex> links_;  ///< by number, as all that follow
  std::vector<double> seconds_;
  std::vector<double> others_s_;  ///< the longest that others take over what they cross in its place
  std::vector<ToldTrunk> told_trunks_;
  std::vector<Candidate> candidates_;
  std::vector<Number> crossed_;  ///< by candidates
  std::map<std::pair<bool, std::size_t>, std::size_t> index_of_kind_;
  std::vector<Kind> kinds_;
  OpFlows result_;
};

}  // namespace

OpFlows find_flows(const GroupFlows& groups, const Cluster& cluster, const Op& op, std::int32_t stage) {
  const ToldGroups telling = groups.telling(op, stage);
  return FlowSearch(cluster, telling).run(groups.told_groups(op, stage, telling));
}

}  // namespace portolan
