#include "plan/graph_builder.h"

namespace portolan {

std::int32_t GraphBuilder::path(const std::vector<std::int32_t>& links) {
  const auto found = paths_.find(links);
  if (found != paths_.end()) {
    return found->second;
  }
  const std::int32_t index = graph_.add_path(links);
  paths_.emplace(links, index);
  return index;
}

ActivityGraph GraphBuilder::finish(std::int32_t num_devices) {
  const std::size_t count = graph_.activities.size();
  graph_.num_devices = num_devices;
  graph_.num_predecessors.assign(count, 0);
  graph_.successor_offsets.assign(count + 1, 0);
  for (const auto& [from, to] : edges_) {
    ++graph_.successor_offsets[static_cast<std::size_t>(from) + 1];
    ++graph_.num_predecessors[static_cast<std::size_t>(to)];
  }
  for (std::size_t i = 0; i < count; ++i) {
    graph_.successor_offsets[i + 1] += graph_.successor_offsets[i];
  }
  graph_.successors.resize(edges_.size());
  std::vector<std::int32_t> next(graph_.successor_offsets.begin(), graph_.successor_offsets.end() - 1);
  for (const auto& [from, to] : edges_) {
    graph_.successors[static_cast<std::size_t>(next[static_cast<std::size_t>(from)]++)] = to;
  }
  return std::move(graph_);
}

}  // namespace portolan
