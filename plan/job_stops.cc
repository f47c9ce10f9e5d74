#include "plan/job_stops.h"

#include <algorithm>
#include <string>
#include <unordered_set>

#include "plan/share_changes.h"
#include "topology/cluster_layout.h"
#include "topology/place_name.h"

namespace portolan {

namespace {

/// The first time from `at` on at which a payload is on one of the links.
std::optional<Seconds> first_payload(const ActivityGraph& graph, const ActivityTimes& times,
                                     const std::unordered_set<std::string>& links, Seconds at) {
  std::vector<bool> crosses(graph.path_offsets.size(), false);
  for (std::size_t path = 0; path + 1 < graph.path_offsets.size(); ++path) {
    const auto of_path = graph.links_of_path(static_cast<std::int32_t>(path));
    crosses[path] = std::any_of(of_path.begin(), of_path.end(), [&](std::int32_t link) {
      return links.contains(graph.links[static_cast<std::size_t>(link)].name);
    });
  }
  std::optional<Seconds> first;
  for (std::size_t i = 0; i < graph.activities.size(); ++i) {
    const Activity& activity = graph.activities[i];
    const bool is_lost = activity.kind == Activity::Kind::kTransfer && activity.bytes > 0 &&
                         crosses[static_cast<std::size_t>(activity.path)] && times.end_s[i] > at.value;
    if (is_lost) {
      const Seconds lost(std::max(times.start_s[i], at.value));
      first = first ? std::min(*first, lost) : lost;
    }
  }
  return first;
}

}  // namespace

std::vector<std::optional<Seconds>> job_stops(const Cluster& cluster, std::span<const ClusterEvent> events,
                                              std::int64_t num_ranks, const UnfoldedProgram& unfolded,
                                              const ActivityTimes& times) {
  std::vector<std::optional<Seconds>> stops;
  for (const ClusterEvent& event : events) {
    std::optional<Seconds>& stop = stops.emplace_back();
    if (event.what.kind == ImpairmentKind::kFailedNode) {
      const auto node = find_node(ClusterLayout(cluster.hardware()), event.what.place);
      for (std::int64_t i = 0; i * cluster.hardware().gpus_per_node < num_ranks; ++i) {
        if (event.at < times.makespan && cluster.machine_node(i) == *node) {
          stop = event.at;
        }
      }
    } else if (is_fatal(event)) {
      std::unordered_set<std::string> names;
      for (const LinkIndex link : links_touched(cluster, event)) {
        names.insert(cluster.link_name(link));
      }
      stop = first_payload(unfolded.graph, times, names, event.at);
    }
  }
  return stops;
}

}  // namespace portolan
