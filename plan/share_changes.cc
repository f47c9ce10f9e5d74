#include "plan/share_changes.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <map>
#include <utility>

#include "topology/cluster_condition.h"
#include "topology/cluster_layout.h"

namespace portolan {

namespace {

/// Precondition: the cluster has all of it.
ClusterCondition resolved(const ClusterLayout& layout, const Condition& condition) {
  ClusterCondition result;
  for (const Impairment& impairment : condition) {
    [[maybe_unused]] const Result<void> added = result.add(layout, impairment);
    assert(added);
  }
  return result;
}

ClusterCondition condition_of(const Cluster& cluster, const ClusterEvent& event) {
  return resolved(ClusterLayout(cluster.hardware()), {event.what});
}

/// The share of one link or GPU over time: what each event multiplies it by, between its times.
class ShareOverTime {
 public:
  void add(const ClusterEvent& event, double share) {
    spans_.push_back({event.at, event.lasting ? event.at + *event.lasting : kForever, share});
  }

  /// Each time at which it may change, with the share from then on.
  std::vector<std::pair<Seconds, double>> steps() const {
    std::vector<Seconds> times;
    for (const Span& span : spans_) {
      times.push_back(span.begin);
      if (span.end < kForever) {
        times.push_back(span.end);
      }
    }
    std::sort(times.begin(), times.end());
    times.erase(std::unique(times.begin(), times.end()), times.end());
    std::vector<std::pair<Seconds, double>> steps;
    for (const Seconds time : times) {
      double share = 1;
      for (const Span& span : spans_) {
        share *= span.begin <= time && time < span.end ? span.share : 1;
      }
      steps.emplace_back(time, share);
    }
    return steps;
  }

 private:
  static constexpr Seconds kForever{std::numeric_limits<double>::infinity()};
  struct Span {
    Seconds begin, end;
    double share = 1;
  };
  std::vector<Span> spans_;
};

}  // namespace

bool is_fatal(const ClusterEvent& event) { return !has_share(event.what.kind); }

Result<void> check_events(const Cluster& cluster, std::span<const ClusterEvent> events) {
  const ClusterLayout layout(cluster.hardware());
  for (const ClusterEvent& event : events) {
    ClusterCondition alone;
    PORTOLAN_CHECK_OK(alone.add(layout, event.what));
    if (!is_fatal(event)) {
      continue;
    }
    ClusterCondition before = resolved(layout, cluster.hardware().condition);
    PORTOLAN_CHECK_OK(before.add(layout, event.what));
  }
  return {};
}

std::vector<ShareChange> share_changes(const Cluster& cluster, std::span<const ClusterEvent> events) {
  std::map<std::pair<ShareChange::Kind, std::int32_t>, ShareOverTime> shares;
  for (const ClusterEvent& event : events) {
    if (is_fatal(event)) {
      continue;
    }
    const ClusterCondition condition = condition_of(cluster, event);
    for (const auto& [link, share] : condition.impaired_links()) {
      shares[{ShareChange::Kind::kLink, link}].add(event, share);
    }
    for (const auto& [gpu, share] : condition.slow_gpus()) {
      shares[{ShareChange::Kind::kGpu, static_cast<std::int32_t>(gpu)}].add(event, share);
    }
  }
  std::vector<ShareChange> changes;
  for (const auto& [part, over_time] : shares) {
    double before = 1;
    for (const auto& [time, share] : over_time.steps()) {
      if (share != before) {
        changes.push_back({.at = time, .kind = part.first, .index = part.second, .share = share});
      }
      before = share;
    }
  }
  std::stable_sort(changes.begin(), changes.end(),
                   [](const ShareChange& a, const ShareChange& b) { return a.at < b.at; });
  return changes;
}

std::vector<LinkIndex> links_touched(const Cluster& cluster, const ClusterEvent& event) {
  const ClusterCondition condition = condition_of(cluster, event);
  std::vector<LinkIndex> links;
  for (const auto& [link, share] : condition.impaired_links()) {
    links.push_back(link);
  }
  std::sort(links.begin(), links.end());
  return links;
}

}  // namespace portolan
