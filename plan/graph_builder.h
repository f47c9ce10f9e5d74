#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "plan/activity_graph.h"

namespace portolan {

/// Collects activities and edges, then lays the edges out for the simulator.
class GraphBuilder {
 public:
  std::int32_t add(const Activity& activity) {
    graph_.activities.push_back(activity);
    return static_cast<std::int32_t>(graph_.activities.size()) - 1;
  }
  std::int32_t add_join() { return add({}); }
  void add_edge(std::int32_t from, std::int32_t to) {
    if (from != to) {
      edges_.emplace_back(from, to);
    }
  }
  /// Paths and links are made once each: `make()` is called for the first of a key.
  template <typename Make>
  std::int32_t link(std::pair<std::int32_t, std::int64_t> key, const Make& make) {
    const auto [found, inserted] = links_.try_emplace(key, static_cast<std::int32_t>(graph_.links.size()));
    if (inserted) {
      graph_.links.push_back(make());
    }
    return found->second;
  }
  std::int32_t path(const std::vector<std::int32_t>& links);

  ActivityGraph finish(std::int32_t num_devices);

 private:
  ActivityGraph graph_;
  std::vector<std::pair<std::int32_t, std::int32_t>> edges_;
  std::map<std::pair<std::int32_t, std::int64_t>, std::int32_t> links_;
  std::map<std::vector<std::int32_t>, std::int32_t> paths_;
};

}  // namespace portolan
