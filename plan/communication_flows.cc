#include "plan/communication_flows.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <map>

#include "plan/collectives/link_loads.h"

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
  std::vector<Activity> transfers;
  transfers.reserve(set.flows.size());
  for (const Flow& flow : set.flows) {
    transfers.push_back({.kind = Activity::Kind::kTransfer,
                         .path = real_path(route_of(cluster_, flow)),
                         .bytes = flow.bytes,
                         .latency = set.latency});
  }
  add_together(transfers, begin, end);
}

/// Many transfers of one latency wait for it once: a clock each would cost more than the transfers.
void CommunicationFlows::add_together(const std::vector<Activity>& transfers, std::int32_t begin,
                                      std::int32_t end) {
  const auto alike = [&](const Activity& transfer) { return transfer.latency == transfers.front().latency; };
  const bool waits_once = transfers.size() > 2 && transfers.front().latency > Seconds(0) &&
                          std::all_of(transfers.begin(), transfers.end(), alike);
  std::int32_t before = begin;
  if (waits_once) {
    Activity latency = transfers.front();
    latency.bytes = 0;
    before = builder_.add(latency);
    builder_.add_edge(begin, before);
  }
  for (Activity transfer : transfers) {
    transfer.latency = waits_once ? Seconds(0) : transfer.latency;
    const std::int32_t added = builder_.add(transfer);
    builder_.add_edge(before, added);
    builder_.add_edge(added, end);
  }
}

const std::vector<Activity>& CommunicationFlows::representatives(const Op& op, std::int32_t stage) {
  auto found = representatives_.find(&op);
  if (found == representatives_.end()) {
    found = representatives_.emplace(&op, representatives_of(op, stage)).first;
  }
  return found->second;
}

const std::vector<Activity>& CommunicationFlows::rail_transfers(const Op& op, std::int32_t rank) {
  auto found = rail_transfers_.find({&op, rank});
  if (found == rail_transfers_.end()) {
    found = rail_transfers_.emplace(std::pair{&op, rank}, rail_transfers_of(op, rank)).first;
  }
  return found->second;
}

std::vector<Activity> CommunicationFlows::rail_transfers_of(const Op& op, std::int32_t rank) {
  LinkLoads of_all, of_one;
  const FlowSet one = flows_.of_group(op, rank);
  of_one.add(cluster_, one);
  const AxisSet rails = op.axes.contains(Axis::kTensor) ? AxisSet{} : AxisSet{Axis::kTensor};
  for (const std::int32_t other : flows_.placement().ranks_along(rank, rails)) {
    of_all.add(cluster_, flows_.of_group(op, other));
  }
  std::vector<Activity> transfers;
  for (const Flow& flow : one.flows) {
    std::vector<std::int32_t> path;
    for (const LinkIndex index : route_of(cluster_, flow).links) {
      path.push_back(divided_link(index, of_all.at(index) / of_one.at(index)));
    }
    transfers.push_back({.kind = Activity::Kind::kTransfer,
                         .path = builder_.path(path),
                         .bytes = flow.bytes,
                         .latency = one.latency});
  }
  return transfers;
}

/// Alike flows divide the link; other communications find the same proxy when they divide it alike.
std::int32_t CommunicationFlows::divided_link(LinkIndex index, double alike) {
  const Link& link = cluster_.links()[static_cast<std::size_t>(index)];
  return builder_.link({index, std::llround(alike * 1e6)},
                       {.name = link.name, .bandwidth = link.bandwidth / alike});
}

std::vector<Activity> CommunicationFlows::representatives_of(const Op& op, std::int32_t stage) {
  struct Routed {
    Flow flow;
    Seconds latency;
    Route route;
    double time_s = 0;
  };
  const std::vector<FlowSet> sets = flows_.all_groups(op, stage);
  std::size_t num_flows = 0;
  for (const FlowSet& set : sets) {
    num_flows += set.flows.size();
  }
  std::vector<Routed> routed;
  routed.reserve(num_flows);
  LinkLoads load(2 * num_flows);  // most flows have few links of their own
  for (const FlowSet& set : sets) {
    for (const Flow& flow : set.flows) {
      routed.push_back({flow, set.latency, route_of(cluster_, flow)});
      for (LinkIndex link : routed.back().route.links) {
        load.add(link, flow.bytes);
      }
    }
  }
  const auto& links = cluster_.links();
  std::map<std::pair<bool, std::size_t>, const Routed*> slowest;  // the first member's group comes first
  for (Routed& candidate : routed) {
    for (LinkIndex link : candidate.route.links) {
      candidate.time_s =
          std::max(candidate.time_s, load.at(link) / links[static_cast<std::size_t>(link)].bandwidth.value);
    }
    candidate.time_s += candidate.latency.value;
    const Flow& flow = candidate.flow;
    const bool within_node = flow.source == kHostEnd || flow.destination == kHostEnd ||
                             cluster_.node_of(flow.source) == cluster_.node_of(flow.destination);
    const auto [place, first] = slowest.try_emplace({within_node, candidate.route.links.size()}, &candidate);
    if (!first && candidate.time_s > place->second->time_s) {
      place->second = &candidate;
    }
  }
  std::vector<Activity> transfers;
  for (const auto& [kind_of_path, chosen] : slowest) {
    std::vector<std::int32_t> path;
    for (LinkIndex index : chosen->route.links) {
      path.push_back(divided_link(index, load.at(index) / chosen->flow.bytes));
    }
    transfers.push_back({.kind = Activity::Kind::kTransfer,
                         .path = builder_.path(path),
                         .bytes = chosen->flow.bytes,
                         .latency = chosen->latency});
  }
  return transfers;
}

}  // namespace portolan
