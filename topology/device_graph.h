#pragma once

#include <boost/graph/adjacency_list.hpp>
#include <optional>

#include "topology/cluster.h"

namespace portolan {

struct DeviceVertex {
  VertexKind kind = VertexKind::kGpu;
};

/// Without a link it joins vertices and never limits a payload: PCIe of GPU, network card and host where the
/// hardware gives no figures for it; where it does, PCIe switch to network card and host.
struct DeviceEdge {
  std::optional<LinkIndex> link;
};

/// Vertices by VertexIndex; a directed edge for each link, and two for each join without one.
using DeviceGraph =
    boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, DeviceVertex, DeviceEdge>;

/// The cluster as a graph: for algorithms that know no rail policy. In time and memory of its size.
DeviceGraph device_graph(const Cluster& cluster);

}  // namespace portolan
