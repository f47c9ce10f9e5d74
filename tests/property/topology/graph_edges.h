#pragma once

#include <optional>
#include <vector>

#include "topology/device_graph.h"

namespace portolan {

struct Edge {
  VertexIndex from = 0;
  VertexIndex to = 0;
  std::optional<LinkIndex> link;
};

inline std::vector<Edge> edges_of(const Cluster& cluster) {
  const DeviceGraph graph = device_graph(cluster);
  std::vector<Edge> edges;
  edges.reserve(boost::num_edges(graph));
  for (std::size_t from = 0; from < boost::num_vertices(graph); ++from) {
    const auto [begin, end] = boost::out_edges(from, graph);
    for (auto edge = begin; edge != end; ++edge) {
      edges.push_back({.from = static_cast<VertexIndex>(from),
                       .to = static_cast<VertexIndex>(boost::target(*edge, graph)),
                       .link = graph[*edge].link});
    }
  }
  return edges;
}

}  // namespace portolan
