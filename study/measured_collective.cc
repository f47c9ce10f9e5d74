#include "study/measured_collective.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace portolan {

namespace {

using Ranks = std::vector<const NcclTestRank*>;

/// Hosts in the order of their first rank, each with its ranks.
std::vector<Ranks> ranks_by_host(const NcclTest& test) {
  std::vector<Ranks> hosts;
  std::map<std::string, std::size_t> index;
  for (const NcclTestRank& rank : test.ranks) {
    const auto [place, is_new] = index.try_emplace(rank.host, hosts.size());
    if (is_new) {
      hosts.emplace_back();
    }
    hosts[place->second].push_back(&rank);
  }
  return hosts;
}

/// The place of each rank of a host within its node; empty: two ranks share a device.
std::vector<std::int64_t> places_of(const Ranks& ranks, std::int64_t gpus_per_node) {
  std::vector<std::int64_t> places;
  std::set<std::int64_t> devices;
  std::set<std::string> buses;
  for (const NcclTestRank* rank : ranks) {
    devices.insert(rank->device);
    buses.insert(rank->bus);
  }
  const bool by_device = devices.size() == ranks.size() && *devices.rbegin() < gpus_per_node;
  if (!by_device && buses.size() != ranks.size()) {
    return {};
  }
  for (const NcclTestRank* rank : ranks) {
    places.push_back(by_device ? rank->device : std::distance(buses.begin(), buses.find(rank->bus)));
  }
  return places;
}

}  // namespace

Result<MeasuredCollective> place_nccl_test(const NcclTest& test, const Hardware& hardware,
                                           const std::string& file) {
  const auto refused = [&](std::int64_t line, const std::string& message) {
    return bad_input(fmt::format("{}:{}: {}", file, line, message));
  };
  const std::vector<Ranks> hosts = ranks_by_host(test);
  if (std::ssize(hosts) > hardware.num_nodes) {
    return refused(test.ranks.front().line, fmt::format("ranks on {} hosts, but {} has {} nodes",
                                                        hosts.size(), hardware.name, hardware.num_nodes));
  }
  MeasuredCollective placed{
      .file = file, .kind = test.kind, .members = {}, .num_nodes = std::ssize(hosts), .rows = {}};
  for (std::size_t node = 0; node < hosts.size(); ++node) {
    const Ranks& ranks = hosts[node];
    const NcclTestRank& first = *ranks.front();
    if (std::ssize(ranks) > hardware.gpus_per_node) {
      return refused(first.line,
                     fmt::format("{} ranks on host {}, but a node of {} has {} GPUs", ranks.size(),
                                 first.host, hardware.name, hardware.gpus_per_node));
    }
    const std::vector<std::int64_t> places = places_of(ranks, hardware.gpus_per_node);
    if (places.empty()) {
      return refused(first.line, fmt::format("two ranks share a GPU of host {}", first.host));
    }
    for (const std::int64_t place : places) {
      placed.members.push_back(
          static_cast<DeviceIndex>(static_cast<std::int64_t>(node) * hardware.gpus_per_node + place));
    }
  }
  for (const NcclTestRow& row : test.rows) {
    placed.rows.push_back({row.size, row.time});
  }
  return placed;
}

std::vector<MeasuredCollective> place_collective_rows(const std::vector<CollectiveRow>& rows,
                                                      const Hardware& hardware, const std::string& file) {
  std::map<std::tuple<CollectiveKind, std::int64_t, std::int64_t>, MeasuredCollective> groups;
  for (const CollectiveRow& row : rows) {
    const std::int64_t per_node = row.num_ranks / row.num_nodes;
    if (row.num_nodes > hardware.num_nodes || per_node > hardware.gpus_per_node) {
      continue;
    }
    const auto [place, is_new] = groups.try_emplace({row.kind, row.num_nodes, row.num_ranks});
    MeasuredCollective& group = place->second;
    if (is_new) {
      group.file = file;
      group.kind = row.kind;
      group.num_nodes = row.num_nodes;
      for (std::int64_t rank = 0; rank < row.num_ranks; ++rank) {
        group.members.push_back(
            static_cast<DeviceIndex>(rank / per_node * hardware.gpus_per_node + rank % per_node));
      }
    }
    group.rows.push_back({row.size, row.time});
  }
  std::vector<MeasuredCollective> placed;
  for (auto& [key, group] : groups) {
    placed.push_back(std::move(group));
  }
  return placed;
}

}  // namespace portolan
