#include "plan/communication_flows.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <map>

namespace portolan {

std::int32_t CommunicationFlows::real_path(const Route& route) {
  std::vector<std::int32_t> links;
  for (LinkIndex index : route.links) {
    const Link& link = cluster_.links()[static_cast<std::size_t>(index)];
    links.push_back(builder_.link({index, 0}, {.name = link.name, .bandwidth = link.bandwidth}));
  }
  return builder_.path(links);
}

void CommunicationFlows::add_transfers(const FlowSet& set, std::int32_t begin, std::int32_t end) {
  for (const Flow& flow : set.flows) {
    const std::int32_t transfer =
        builder_.add({.kind = Activity::Kind::kTransfer,
                      .path = real_path(cluster_.route(flow.source, flow.destination)),
                      .bytes = flow.bytes,
                      .latency = set.latency});
    builder_.add_edge(begin, transfer);
    builder_.add_edge(transfer, end);
  }
}

void CommunicationFlows::add_representatives(const Op& op, std::int32_t stage, std::int32_t begin,
                                             std::int32_t end) {
  auto found = representatives_.find(&op);
  if (found == representatives_.end()) {
    found = representatives_.emplace(&op, representatives_of(op, stage)).first;
  }
  for (const Activity& transfer : found->second) {
    const std::int32_t added = builder_.add(transfer);
    builder_.add_edge(begin, added);
    builder_.add_edge(added, end);
  }
}

std::vector<Activity> CommunicationFlows::representatives_of(const Op& op, std::int32_t stage) {
  struct Routed {
    Flow flow;
    Seconds latency;
    Route route;
    double time_s = 0;
  };
  std::vector<Routed> routed;
  std::map<LinkIndex, double> load;
  for (const FlowSet& set : flows_.all_groups(op, stage)) {
    for (const Flow& flow : set.flows) {
      routed.push_back({flow, set.latency, cluster_.route(flow.source, flow.destination)});
      for (LinkIndex link : routed.back().route.links) {
        load[link] += flow.bytes;
      }
    }
  }
  const auto& links = cluster_.links();
  std::map<std::pair<bool, std::size_t>, const Routed*> slowest;  // the first member's group comes first
  for (Routed& candidate : routed) {
    for (LinkIndex link : candidate.route.links) {
      candidate.time_s =
          std::max(candidate.time_s, load[link] / links[static_cast<std::size_t>(link)].bandwidth.value);
    }
    candidate.time_s += candidate.latency.value;
    const bool within_node =
        cluster_.node_of(candidate.flow.source) == cluster_.node_of(candidate.flow.destination);
    const auto [place, first] = slowest.try_emplace({within_node, candidate.route.links.size()}, &candidate);
    if (!first && candidate.time_s > place->second->time_s) {
      place->second = &candidate;
    }
  }
  std::vector<Activity> transfers;
  for (const auto& [kind_of_path, chosen] : slowest) {
    std::vector<std::int32_t> path;
    for (LinkIndex index : chosen->route.links) {
      const Link& link = links[static_cast<std::size_t>(index)];
      // Alike flows divide the link; other communications find the same proxy when they divide it alike.
      const double alike = load[index] / chosen->flow.bytes;
      path.push_back(builder_.link({index, std::llround(alike * 1e6)},
                                   {.name = link.name, .bandwidth = link.bandwidth / alike}));
    }
    transfers.push_back({.kind = Activity::Kind::kTransfer,
                         .path = builder_.path(path),
                         .bytes = chosen->flow.bytes,
                         .latency = chosen->latency});
  }
  return transfers;
}

}  // namespace portolan
