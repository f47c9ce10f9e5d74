#include <algorithm>
#include <cassert>
#include <cmath>
#include <map>
#include <optional>

#include "plan/cost.h"

namespace portolan {

namespace {

/// Time of `collective` at `size` from measured points: log-log interpolation between sizes, proportional to
/// size above the largest, constant below the smallest. Points of the nearest number of ranks count.
std::optional<Seconds> measured_time(const std::vector<CollectivePoint>& points, std::string_view collective,
                                     std::int64_t num_ranks, Bytes size) {
  std::vector<const CollectivePoint*> curve;
  std::int64_t nearest = 0;
  for (const CollectivePoint& point : points) {
    if (point.collective == collective &&
        (nearest == 0 || std::abs(point.num_ranks - num_ranks) < std::abs(nearest - num_ranks))) {
      nearest = point.num_ranks;
    }
  }
  for (const CollectivePoint& point : points) {
    if (point.collective == collective && point.num_ranks == nearest) {
      curve.push_back(&point);
    }
  }
  if (curve.empty()) {
    return std::nullopt;
  }
  std::sort(curve.begin(), curve.end(), [](const auto* a, const auto* b) { return a->size < b->size; });
  if (size <= curve.front()->size) {
    return curve.front()->time;
  }
  if (size >= curve.back()->size) {
    return curve.back()->time * (size / curve.back()->size);
  }
  const auto above = std::find_if(curve.begin(), curve.end(), [&](const auto* p) { return p->size >= size; });
  const CollectivePoint& low = **(above - 1);
  const CollectivePoint& high = **above;
  const double share = std::log(size / low.size) / std::log(high.size / low.size);
  return Seconds(low.time.value * std::pow(high.time / low.time, share));
}

std::string_view measured_name(CollectiveKind kind) {
  return kind == CollectiveKind::kAllReduce ? "all_reduce" : collective_name(kind);
}

/// Members of each node, in ring order.
std::vector<std::vector<DeviceIndex>> members_by_node(const Cluster& cluster,
                                                      const std::vector<DeviceIndex>& ring) {
  std::vector<std::vector<DeviceIndex>> nodes;
  std::int64_t last_node = -1;
  for (DeviceIndex member : ring) {
    if (cluster.node_of(member) != last_node) {
      last_node = cluster.node_of(member);
      nodes.emplace_back();
    }
    nodes.back().push_back(member);
  }
  return nodes;
}

/// Edges of the rings, each carrying `edge_bytes` in all.
std::vector<Flow> ring_flows(const std::vector<std::vector<DeviceIndex>>& nodes, double edge_bytes) {
  std::vector<Flow> flows;
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    const std::vector<DeviceIndex>& here = nodes[n];
    for (std::size_t i = 0; i + 1 < here.size(); ++i) {
      flows.push_back({here[i], here[i + 1], edge_bytes});
    }
    const std::vector<DeviceIndex>& next = nodes[(n + 1) % nodes.size()];
    if (nodes.size() == 1) {
      flows.push_back({here.back(), here.front(), edge_bytes});
      continue;
    }
    const std::size_t rings = std::min(here.size(), next.size());
    for (std::size_t r = 0; r < rings; ++r) {
      flows.push_back({here[here.size() - rings + r], next[r], edge_bytes / static_cast<double>(rings)});
    }
  }
  return flows;
}

}  // namespace

FlowSet ring_collective(const Cluster& cluster, CollectiveKind kind, std::vector<DeviceIndex> members,
                        Bytes payload) {
  const auto n = static_cast<std::int64_t>(members.size());
  if (n <= 1) {
    return {};
  }
  const Hardware& hardware = cluster.hardware();
  const std::vector<DeviceIndex> ring = ring_order(cluster, std::move(members));
  const auto nodes = members_by_node(cluster, ring);
  if (const auto time = measured_time(hardware.collective_points, measured_name(kind), n, payload)) {
    FlowSet set{.flows = ring_flows(nodes, 1.0), .latency = {}};
    const double per_byte = uncontended_time(cluster, set).value;
    for (Flow& flow : set.flows) {
      flow.bytes *= time->value / per_byte;
    }
    return set;
  }
  const double rounds = kind == CollectiveKind::kAllReduce ? 2 : 1;
  const double edge_bytes =
      rounds * static_cast<double>(n - 1) / static_cast<double>(n) * static_cast<double>(payload.value);
  // One turn of the ring passes each hop once; a collective makes rounds x (n-1)/n turns.
  const auto inter_hops = static_cast<double>(nodes.size() > 1 ? nodes.size() : 0);
  const double intra_hops = static_cast<double>(n) - inter_hops;
  const Seconds turn =
      hardware.intra_node_step.value * intra_hops + hardware.inter_node_step.value * inter_hops;
  return {.flows = ring_flows(nodes, edge_bytes),
          .latency = turn * (rounds * static_cast<double>(n - 1) / static_cast<double>(n))};
}

FlowSet point_to_point(const Cluster& cluster, DeviceIndex source, DeviceIndex destination, Bytes payload) {
  if (source == destination) {
    return {};
  }
  const Route route = cluster.route(source, destination);
  if (const auto time = measured_time(cluster.hardware().collective_points, "send_receive", 2, payload)) {
    FlowSet set{.flows = {{source, destination, 1.0}}, .latency = {}};
    set.flows.front().bytes = time->value / uncontended_time(cluster, set).value;
    return set;
  }
  return {.flows = {{source, destination, static_cast<double>(payload.value)}}, .latency = route.latency};
}

Seconds uncontended_time(const Cluster& cluster, const FlowSet& set) {
  std::map<LinkIndex, double> load;
  for (const Flow& flow : set.flows) {
    for (LinkIndex link : cluster.route(flow.source, flow.destination).links) {
      load[link] += flow.bytes;
    }
  }
  double longest = 0;
  for (const auto& [link, bytes] : load) {
    longest = std::max(longest, bytes / cluster.links()[static_cast<std::size_t>(link)].bandwidth.value);
  }
  return Seconds(longest) + set.latency;
}

}  // namespace portolan
