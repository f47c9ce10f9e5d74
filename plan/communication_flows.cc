#include "plan/communication_flows.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <map>

#include "plan/collectives/link_loads.h"

namespace portolan {

SharedLink CommunicationFlows::part_of(LinkIndex link, double part) const {
  return {.name = cluster_.link_name(link), .bandwidth = cluster_.bandwidth(link) * part};
}

std::int32_t CommunicationFlows::real_path(const Route& route) {
  std::vector<std::int32_t> links;
  for (LinkIndex index : route.links) {
    links.push_back(builder_.link({index, 0}, [&] { return part_of(index, 1); }));
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
  return builder_.link({index, std::llround(alike * 1e6)}, [&] { return part_of(index, 1 / alike); });
}

/// Over links that others cross too, as often as the flows it stands for do; and where that alone would be
/// too fast, over a part of the busiest link that takes as long as they all take.
std::vector<std::int32_t> CommunicationFlows::representative_path(const OpFlows::Kind& kind) {
  if (kind.route.empty()) {
    return {};
  }
  constexpr double kRounding = 1e-6;
  const double flows_on_busiest = kind.busiest.bytes / kind.slowest.bytes;
  const BytesPerSecond most = rate_together(cluster_, kind);
  std::vector<std::int32_t> path;
  bool takes_as_long = false;
  for (const SharedLinks::Crossing& crossing : shared_->crossings(kind)) {
    const std::int32_t shared = builder_.link({crossing.link, 0}, [&] {
      return SharedLink{.name = cluster_.link_name(crossing.link), .bandwidth = crossing.bandwidth};
    });
    path.insert(path.end(), static_cast<std::size_t>(crossing.times), shared);
    takes_as_long = takes_as_long || crossing.bandwidth / crossing.times <= most * (1 + kRounding);
  }
  if (!takes_as_long) {
    path.push_back(divided_link(kind.busiest.link, flows_on_busiest));
  }
  return path;
}

std::vector<Activity> CommunicationFlows::representatives_of(const Op& op, std::int32_t stage) {
  if (!shared_) {
    shared_.emplace(program_, cluster_);
  }
  std::vector<Activity> transfers;
  for (const OpFlows::Kind& kind : program_.flows->of(op, stage).kinds) {
    transfers.push_back({.kind = Activity::Kind::kTransfer,
                         .path = builder_.path(representative_path(kind)),
                         .bytes = kind.slowest.bytes,
                         .latency = kind.latency});
  }
  return transfers;
}

}  // namespace portolan
