#include "sim/activity_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace portolan {
namespace {

/// Beyond these no machine is meant, and products of them could leave what a double holds.
constexpr double kLowestBandwidth = 1e-30;
constexpr double kHighestBandwidth = 1e30;
/// 30 million years. SimGrid drops what is left of a transfer when it is below about 1e-27 of the makespan.
constexpr double kLongestMakespan = 1e15;

bool is_amount(double value) { return std::isfinite(value) && value >= 0; }

/// Offsets of a list of `num_lists` lists over a flat vector of `num_items`.
bool are_offsets(const std::vector<std::int32_t>& offsets, std::size_t num_lists, std::size_t num_items) {
  return offsets.size() == num_lists + 1 && offsets.front() == 0 && std::ranges::is_sorted(offsets) &&
         static_cast<std::size_t>(offsets.back()) == num_items;
}

bool are_indices(const std::vector<std::int32_t>& indices, std::size_t count) {
  return std::ranges::all_of(
      indices, [count](std::int32_t index) { return index >= 0 && static_cast<std::size_t>(index) < count; });
}

Result<void> check_links_and_paths(const ActivityGraph& graph) {
  for (std::size_t link = 0; link < graph.links.size(); ++link) {
    const double bandwidth = graph.links[link].bandwidth.value;
    if (!(bandwidth >= kLowestBandwidth && bandwidth <= kHighestBandwidth)) {
      return bad_input(fmt::format("link {} ({}): a bandwidth of {:g} B/s, must be between {:g} and {:g}",
                                   link, graph.links[link].name, bandwidth, kLowestBandwidth,
                                   kHighestBandwidth));
    }
  }
  const std::size_t num_paths = graph.path_offsets.empty() ? 0 : graph.path_offsets.size() - 1;
  if (!are_offsets(graph.path_offsets, num_paths, graph.path_links.size()) ||
      !are_indices(graph.path_links, graph.links.size())) {
    return bad_input(fmt::format("paths: offsets or links out of range ({} paths, {} links)", num_paths,
                                 graph.links.size()));
  }
  return {};
}

Result<void> check_changes(const ActivityGraph& graph) {
  Seconds before;
  for (std::size_t i = 0; i < graph.changes.size(); ++i) {
    const RateChange& change = graph.changes[i];
    const bool of_link = change.kind == RateChange::Kind::kLink;
    const std::int64_t count = of_link ? std::ssize(graph.links) : graph.num_devices;
    if (!is_amount(change.at.value) || change.at < before) {
      return bad_input(
          fmt::format("change {}: at {} s, after one at {} s", i, change.at.value, before.value));
    }
    if (change.index < 0 || change.index >= count || !(change.share > 0 && change.share <= 1)) {
      return bad_input(fmt::format("change {}: a share of {} of {} {} of {}", i, change.share,
                                   of_link ? "link" : "device", change.index, count));
    }
    before = change.at;
  }
  return {};
}

Result<void> check_dependencies(const ActivityGraph& graph) {
  const std::size_t num_activities = graph.activities.size();
  if (!are_offsets(graph.successor_offsets, num_activities, graph.successors.size()) ||
      !are_indices(graph.successors, num_activities) || graph.num_predecessors.size() != num_activities) {
    return bad_input(fmt::format(
        "dependencies: offsets or indices out of range, or not set, for {} activities", num_activities));
  }
  return {};
}

Result<void> check_activity(const ActivityGraph& graph, std::size_t index) {
  const Activity& activity = graph.activities[index];
  const auto refuse = [index](std::string_view what) {
    return bad_input(fmt::format("activity {}: {}", index, what));
  };
  switch (activity.kind) {
    case Activity::Kind::kJoin:
      return {};
    case Activity::Kind::kCompute:
      if (activity.device < 0 || activity.device >= graph.num_devices) {
        return refuse(fmt::format("device {} of {}", activity.device, graph.num_devices));
      }
      if (!is_amount(activity.seconds.value))
        return refuse(fmt::format("{} s of compute", activity.seconds.value));
      if (!(activity.fixed >= Seconds(0) && activity.fixed <= activity.seconds))
        return refuse(
            fmt::format("{} s fixed of {} s of compute", activity.fixed.value, activity.seconds.value));
      return {};
    case Activity::Kind::kTransfer:
      if (activity.path < 0 || static_cast<std::size_t>(activity.path) + 1 >= graph.path_offsets.size()) {
        return refuse(fmt::format("path {} of {}", activity.path, graph.path_offsets.size() - 1));
      }
      if (!is_amount(activity.bytes)) return refuse(fmt::format("a transfer of {} bytes", activity.bytes));
      if (!is_amount(activity.latency.value))
        return refuse(fmt::format("a latency of {} s", activity.latency.value));
      return {};
  }
  return refuse(fmt::format("unknown kind {}", static_cast<int>(activity.kind)));
}

/// The least of what links and devices have at any time.
struct LowestShares {
  std::vector<double> of_link, of_device;

  explicit LowestShares(const ActivityGraph& graph)
      : of_link(graph.links.size(), 1.0), of_device(static_cast<std::size_t>(graph.num_devices), 1.0) {
    for (const RateChange& change : graph.changes) {
      double& lowest =
          (change.kind == RateChange::Kind::kLink ? of_link
                                                  : of_device)[static_cast<std::size_t>(change.index)];
      lowest = std::min(lowest, change.share);
    }
  }
};

/// What the activity takes when nothing else is under way. Adds its bytes to the links that it crosses.
double time_alone(const ActivityGraph& graph, const LowestShares& shares, const Activity& activity,
                  std::vector<double>& bytes_of_link) {
  if (activity.kind == Activity::Kind::kCompute) {
    const double share = shares.of_device[static_cast<std::size_t>(activity.device)];
    return share == 1 ? activity.seconds.value
                      : (activity.seconds - activity.fixed).value / share + activity.fixed.value;
  }
  if (activity.kind == Activity::Kind::kJoin) return 0;
  double slowest = 0;
  for (const std::int32_t link : graph.links_of_path(activity.path)) {
    const auto at = static_cast<std::size_t>(link);
    bytes_of_link[at] += activity.bytes;
    slowest = std::max(slowest, activity.bytes / (graph.links[at].bandwidth.value * shares.of_link[at]));
  }
  return activity.latency.value + slowest;
}

Error never_started(const std::vector<std::int32_t>& waiting_for) {
  const auto waits = [](std::int32_t num) { return num > 0; };
  const auto first = std::ranges::find_if(waiting_for, waits);
  return bad_input(fmt::format(
      "{} of {} activities can never start, the first is activity {}: it waits for {} more in a cycle or "
      "that do not exist",
      std::ranges::count_if(waiting_for, waits), waiting_for.size(), first - waiting_for.begin(), *first));
}

/// Goes through the activities in an order that their dependencies allow.
Result<Seconds> longest_chain(const ActivityGraph& graph, const LowestShares& shares,
                              std::vector<double>& bytes_of_link) {
  std::vector<std::int32_t> waiting_for = graph.num_predecessors;
  std::vector<double> earliest_end(graph.activities.size(), 0.0);
  std::vector<std::int32_t> order;
  order.reserve(graph.activities.size());
  for (std::size_t index = 0; index < waiting_for.size(); ++index) {
    if (waiting_for[index] < 0)
      return bad_input(fmt::format("activity {}: a negative number of predecessors", index));
    if (waiting_for[index] == 0) order.push_back(static_cast<std::int32_t>(index));
  }
  double longest = 0;
  for (std::size_t next = 0; next < order.size(); ++next) {
    const auto index = static_cast<std::size_t>(order[next]);
    double& end = earliest_end[index];
    end += time_alone(graph, shares, graph.activities[index], bytes_of_link);
    longest = std::max(longest, end);
    for (const std::int32_t successor : graph.successors_of(order[next])) {
      const auto at = static_cast<std::size_t>(successor);
      earliest_end[at] = std::max(earliest_end[at], end);
      if (--waiting_for[at] == 0) order.push_back(successor);
      if (waiting_for[at] < 0) {
        return bad_input(fmt::format("activity {}: more predecessors than its count says", at));
      }
    }
  }
  if (order.size() != graph.activities.size()) return never_started(waiting_for);
  return Seconds(longest);
}

}  // namespace

Result<GraphBounds> check_and_bound(const ActivityGraph& graph) {
  PORTOLAN_CHECK_OK(check_links_and_paths(graph));
  PORTOLAN_CHECK_OK(check_dependencies(graph));
  PORTOLAN_CHECK_OK(check_changes(graph));
  GraphBounds bounds;
  for (std::size_t index = 0; index < graph.activities.size(); ++index) {
    PORTOLAN_CHECK_OK(check_activity(graph, index));
    bounds.largest_transfer_bytes = std::max(bounds.largest_transfer_bytes, graph.activities[index].bytes);
  }
  const LowestShares shares(graph);
  std::vector<double> bytes_of_link(graph.links.size(), 0.0);
  PORTOLAN_TRY(bounds.shortest_makespan, longest_chain(graph, shares, bytes_of_link));
  for (std::size_t link = 0; link < graph.links.size(); ++link) {
    const Seconds busy(bytes_of_link[link] / (graph.links[link].bandwidth.value * shares.of_link[link]));
    bounds.shortest_makespan = std::max(bounds.shortest_makespan, busy);
  }
  if (!(bounds.shortest_makespan.value <= kLongestMakespan)) {
    return bad_input(fmt::format("the graph takes {:g} s or more, the limit is {:g} s",
                                 bounds.shortest_makespan.value, kLongestMakespan));
  }
  return bounds;
}

}  // namespace portolan
