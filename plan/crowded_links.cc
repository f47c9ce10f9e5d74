#include "plan/crowded_links.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>

#include "plan/links_asked.h"

namespace portolan {

namespace {

/// Adds to `seconds`, by place, what communications that run so often take on the links.
void add_seconds(const Cluster& cluster, const OpFlows& flows, double times, LinksAsked& links,
                 std::vector<double>& seconds) {
  for (const OpFlows::Kind& kind : flows.kinds) {
    links.for_each_load(kind, [&](std::size_t place, double bytes) {
      seconds[place] += bytes / cluster.bandwidth(links.link(place)).value * times;
    });
  }
}

/// How long a step uses some links.
class UsedLinks {
 public:
  /// `cluster` and `links` must outlive it.
  UsedLinks(const std::vector<StageTraffic>& stages, const Cluster& cluster, LinksAsked& links)
      : cluster_(cluster), links_(links), others_(links.size()) {
    for (const StageTraffic& stage : stages) {
      add(stage.beside, 1, others_);
      add(stage.apart, 1, others_);
    }
  }

  /// As meet_others() says, for `alike`, one of those within kernels of `stage`.
  bool are_crowded(const StageTraffic& stage, const WithinKernels& alike, double negligible) {
    std::vector<double> beside = others_;
    add(stage.apart, -1, beside);
    std::vector<double> by_kernels(links_.size());
    for (const WithinKernels& each : stage.within_kernels) {
      add(each, each.repetitions, by_kernels);
    }
    std::vector<double> own(links_.size());
    add(alike, 1, own);
    for (std::size_t place = 0; place < own.size(); ++place) {
      if (own[place] > 0 && by_kernels[place] * beside[place] > negligible) {
        return true;
      }
    }
    return false;
  }

 private:
  void add(const std::vector<RepeatedFlows>& list, double sign, std::vector<double>& seconds) {
    for (const RepeatedFlows& runs : list) {
      add_seconds(cluster_, *runs.flows, runs.times * sign, links_, seconds);
    }
  }
  void add(const WithinKernels& alike, double times, std::vector<double>& seconds) {
    if (alike.flows != nullptr) {
      add_seconds(cluster_, *alike.flows, times, links_, seconds);
      return;
    }
    for (std::size_t place = 0; place < seconds.size(); ++place) {
      const LinkIndex link = links_.link(place);
      seconds[place] += alike.of_one.at(link) / cluster_.bandwidth(link).value * times;
    }
  }

  const Cluster& cluster_;
  LinksAsked& links_;
  std::vector<double> others_;  ///< by place, of all stages
};

/// The most that a step takes on links of each kind and direction.
class MostUsed {
 public:
  explicit MostUsed(const Cluster& cluster) : cluster_(cluster) {}

  void add(const WithinKernels& each) {
    if (each.flows != nullptr) {
      add(most_of(*each.flows, each.repetitions));
      return;
    }
    ByKind most{};
    each.of_one.for_each([&](LinkIndex link, double bytes) { raise(most, link, bytes * each.repetitions); });
    add(most);
  }
  /// What communications of any stage can put on links of one.
  void add_on(std::size_t stage, const RepeatedFlows& runs) {
    ByKind most = most_of(*runs.flows, runs.times);
    for (const bool upward : {false, true}) {
      const std::vector<std::int32_t>& ends = upward ? runs.from : runs.to;
      if (!ends.empty() && std::count(ends.begin(), ends.end(), static_cast<std::int32_t>(stage)) == 0) {
        for (const LinkKind of_nodes : {LinkKind::kNvLink, LinkKind::kNic, LinkKind::kPcie}) {
          most[index_of(of_nodes, upward)] = 0;
        }
      }
    }
    add(most);
  }
  double of(LinkKind kind, bool upward) const { return seconds_[index_of(kind, upward)]; }

 private:
  using ByKind = std::array<double, 2 * kNumLinkKinds>;  ///< and direction

  static std::size_t index_of(LinkKind kind, bool upward) {
    return 2 * static_cast<std::size_t>(kind) + (upward ? 1 : 0);
  }

  ByKind most_of(const OpFlows& flows, double times) const {
    ByKind sum{};
    for (const OpFlows::Kind& kind : flows.kinds) {
      ByKind most{};
      kind.for_each_told(cluster_, [&](LinkIndex link, double bytes) { raise(most, link, bytes * times); });
      std::transform(sum.begin(), sum.end(), most.begin(), sum.begin(), std::plus());
    }
    return sum;
  }
  void raise(ByKind& most, LinkIndex link, double bytes) const {
    double& seconds = most[index_of(cluster_.kind_of_link(link), cluster_.owner_of(link).upward)];
    seconds = std::max(seconds, bytes / cluster_.bandwidth(link).value);
  }
  void add(const ByKind& most) {
    for (std::size_t i = 0; i < most.size(); ++i) {
      seconds_[i] += most[i];
    }
  }

  const Cluster& cluster_;
  ByKind seconds_{};
};

/// Whether no link of a kind that `own`, one of those within kernels of the stage, crosses can be crowded,
/// wherever the others put what they do.
bool are_surely_alone(const std::vector<StageTraffic>& stages, std::size_t stage, const WithinKernels& own,
                      const Cluster& cluster, double negligible) {
  MostUsed by_kernels(cluster);
  for (const WithinKernels& each : stages[stage].within_kernels) {
    by_kernels.add(each);
  }
  MostUsed beside(cluster);
  for (std::size_t s = 0; s < stages.size(); ++s) {
    for (const RepeatedFlows& runs : stages[s].beside) {
      beside.add_on(stage, runs);
    }
    for (std::size_t i = 0; s != stage && i < stages[s].apart.size(); ++i) {
      beside.add_on(stage, stages[s].apart[i]);
    }
  }
  MostUsed of_own(cluster);
  of_own.add(own);
  for (std::size_t k = 0; k < kNumLinkKinds; ++k) {
    for (const bool upward : {false, true}) {
      const auto kind = static_cast<LinkKind>(k);
      if (of_own.of(kind, upward) > 0 && by_kernels.of(kind, upward) * beside.of(kind, upward) > negligible) {
        return false;
      }
    }
  }
  return true;
}

/// Links of all collectives within kernels: those that tell, of those that cross the network.
LinksAsked telling_links(const std::vector<StageTraffic>& stages, const Cluster& cluster) {
  LinksAsked links(cluster);
  for (const StageTraffic& stage : stages) {
    for (const WithinKernels& alike : stage.within_kernels) {
      alike.of_one.for_each([&](LinkIndex link, double) { links.add(link); });
      for (std::size_t k = 0; alike.flows != nullptr && k < alike.flows->kinds.size(); ++k) {
        alike.flows->kinds[k].for_each_told(cluster, [&](LinkIndex link, double) { links.add(link); });
      }
    }
  }
  return links;
}

LinksAsked all_links(const OpFlows& flows, const Cluster& cluster) {
  LinksAsked links(cluster);
  for (const OpFlows::Kind& kind : flows.kinds) {
    kind.for_each_load(cluster, [&](LinkIndex link, double) { links.add(link); });
  }
  return links;
}

}  // namespace

std::vector<std::vector<bool>> meet_others(const std::vector<StageTraffic>& stages, const Cluster& cluster,
                                           const std::vector<double>& negligible) {
  LinksAsked telling = telling_links(stages, cluster);
  UsedLinks used(stages, cluster, telling);
  std::vector<std::vector<bool>> meet(stages.size());
  for (std::size_t s = 0; s < stages.size(); ++s) {
    for (const WithinKernels& each : stages[s].within_kernels) {
      bool meets = used.are_crowded(stages[s], each, negligible[s]);
      // What tells of one collective need not tell of all.
      if (!meets && each.flows != nullptr && !are_surely_alone(stages, s, each, cluster, negligible[s])) {
        LinksAsked all = all_links(*each.flows, cluster);
        meets = UsedLinks(stages, cluster, all).are_crowded(stages[s], each, negligible[s]);
      }
      meet[s].push_back(meets);
    }
  }
  return meet;
}

}  // namespace portolan
