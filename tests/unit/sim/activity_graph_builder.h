#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "plan/activity_graph.h"

namespace portolan::testing {

/// An ActivityGraph written activity by activity, for tests. Each adder returns an index.
class ActivityGraphBuilder {
 public:
  std::int32_t link(double bytes_per_s) {
    graph_.links.push_back({"link " + std::to_string(graph_.links.size()), BytesPerSecond(bytes_per_s)});
    return static_cast<std::int32_t>(graph_.links.size()) - 1;
  }
  std::int32_t path(const std::vector<std::int32_t>& links) { return graph_.add_path(links); }

  std::int32_t compute(std::int32_t device, double seconds) {
    graph_.num_devices = std::max(graph_.num_devices, device + 1);
    return add({.kind = Activity::Kind::kCompute, .device = device, .seconds = Seconds(seconds)});
  }
  std::int32_t transfer(std::int32_t path, double bytes, double latency_s) {
    return add(
        {.kind = Activity::Kind::kTransfer, .path = path, .bytes = bytes, .latency = Seconds(latency_s)});
  }
  std::int32_t join() { return add({}); }

  /// `after` starts no sooner than `before` has ended.
  void depend(std::int32_t before, std::int32_t after) { edges_.emplace_back(before, after); }
  void depend(std::initializer_list<std::int32_t> befores, std::int32_t after) {
    for (const std::int32_t before : befores) depend(before, after);
  }

  ActivityGraph build() const {
    ActivityGraph graph = graph_;
    std::vector<std::vector<std::int32_t>> successors(graph.activities.size());
    graph.num_predecessors.assign(graph.activities.size(), 0);
    for (const auto& [before, after] : edges_) {
      successors[static_cast<std::size_t>(before)].push_back(after);
      ++graph.num_predecessors[static_cast<std::size_t>(after)];
    }
    for (const std::vector<std::int32_t>& list : successors) {
      graph.successors.insert(graph.successors.end(), list.begin(), list.end());
      graph.successor_offsets.push_back(static_cast<std::int32_t>(graph.successors.size()));
    }
    return graph;
  }

 private:
  std::int32_t add(const Activity& activity) {
    graph_.activities.push_back(activity);
    return static_cast<std::int32_t>(graph_.activities.size()) - 1;
  }

  ActivityGraph graph_;
  std::vector<std::pair<std::int32_t, std::int32_t>> edges_;
};

}  // namespace portolan::testing
