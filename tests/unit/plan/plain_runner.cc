#include "plain_runner.h"

#include <algorithm>

namespace portolan {

namespace {

double duration_s(const ActivityGraph& graph, const Activity& activity) {
  if (activity.kind == Activity::Kind::kCompute) {
    return activity.seconds.value;
  }
  if (activity.kind == Activity::Kind::kJoin) {
    return 0;
  }
  double longest = 0;
  for (const std::int32_t link : graph.links_of_path(activity.path)) {
    longest = std::max(longest, activity.bytes / graph.links[static_cast<std::size_t>(link)].bandwidth.value);
  }
  return longest + activity.latency.value;
}

}  // namespace

Result<ActivityTimes> run_without_contention(const ActivityGraph& graph) {
  const std::size_t count = graph.activities.size();
  ActivityTimes times;
  times.start_s.assign(count, 0);
  times.end_s.assign(count, 0);
  std::vector<std::int32_t> waiting_for = graph.num_predecessors;
  std::vector<std::int32_t> ready;
  for (std::size_t i = 0; i < count; ++i) {
    if (waiting_for[i] == 0) {
      ready.push_back(static_cast<std::int32_t>(i));
    }
  }
  std::size_t num_done = 0;
  while (!ready.empty()) {
    const auto index = static_cast<std::size_t>(ready.back());
    ready.pop_back();
    ++num_done;
    const double end = times.start_s[index] + duration_s(graph, graph.activities[index]);
    times.end_s[index] = end;
    times.makespan = std::max(times.makespan, Seconds(end));
    for (const std::int32_t next : graph.successors_of(static_cast<std::int32_t>(index))) {
      const auto successor = static_cast<std::size_t>(next);
      times.start_s[successor] = std::max(times.start_s[successor], end);
      if (--waiting_for[successor] == 0) {
        ready.push_back(next);
      }
    }
  }
  if (num_done != count) {
    return bad_input("the activity graph has a cycle");
  }
  return times;
}

}  // namespace portolan
