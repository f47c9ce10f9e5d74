#include "catalog/import/fabric_hosts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "catalog/import/source_text.h"

namespace portolan {

namespace {

/// Text before a number at the end, and the number: mlx5_2 comes before mlx5_10.
std::pair<std::string, std::int64_t> natural_key(const std::string& name) {
  const std::size_t digits = name.find_last_not_of("0123456789") + 1;
  const auto number = parse_count(std::string_view(name).substr(digits), 1'000'000'000'000);
  return {name.substr(0, number ? digits : name.size()), number.value_or(-1)};
}

Result<void> add_cards(const InfinibandFabric& fabric, const InfinibandDevice& adapter, std::string_view card,
                       FabricHost& host) {
  for (const InfinibandPort& port : adapter.ports) {
    const InfinibandDevice& peer = fabric.devices[port.peer];
    if (peer.kind != InfinibandKind::kSwitch) {
      return infeasible(
          fmt::format("{}: \"{}\" is joined to \"{}\" without a switch, which is not described yet",
                      fabric.file, adapter.name(), peer.name()));
    }
    host.cards.push_back({.name = std::string(card), .port = &port});
  }
  return {};
}

/// Cards that the node's own report does not count (storage) do not count here, if all hosts have those that
/// it counts.
void keep_compute_cards(const InfinibandFabric& fabric, const ComputeAdapters& compute,
                        std::vector<FabricHost>& hosts, std::vector<std::string>& assumed) {
  const std::set<std::string> names(compute.cards.begin(), compute.cards.end());
  const auto is_other = [&](const FabricCard& card) { return !names.contains(card.name); };
  std::size_t num_left_out = 0;
  for (const FabricHost& host : hosts) {
    std::set<std::string> known;
    for (const FabricCard& card : host.cards) {
      known.insert(card.name);
    }
    if (names.empty() || !std::ranges::includes(known, names)) {
      return;
    }
    num_left_out += static_cast<std::size_t>(std::ranges::count_if(host.cards, is_other));
  }
  for (FabricHost& host : hosts) {
    std::erase_if(host.cards, is_other);
  }
  if (num_left_out > 0) {
    assumed.push_back(
        fmt::format("{}: {} cards are not among the {} near the GPUs of a node and were left out",
                    fabric.file, num_left_out, names.size()));
  }
}

}  // namespace

bool is_aggregation_node(const InfinibandDevice& device) {
  return device.description.find("Aggregation Node") != std::string::npos;
}

Result<std::vector<FabricHost>> find_hosts(const InfinibandFabric& fabric, const ComputeAdapters& compute,
                                           std::vector<std::string>& assumed) {
  std::set<std::string> wanted;
  if (compute.nodes) {
    wanted.insert(compute.nodes->begin(), compute.nodes->end());
  }
  std::map<std::string, FabricHost> by_name;
  std::set<std::string> left_out;
  for (const InfinibandDevice& adapter : fabric.devices) {
    if (adapter.kind != InfinibandKind::kAdapter || is_aggregation_node(adapter)) {
      continue;
    }
    const auto words = words_between_spaces(adapter.description);
    if (words.size() != 2) {
      return error_at(fabric.file, adapter.line,
                      fmt::format("\"{}\" names no host (allowed: HOST DEVICE, such as \"node1 mlx5_0\")",
                                  adapter.description));
    }
    const std::string name(words[0].substr(0, words[0].find('.')));
    if (compute.nodes && !wanted.contains(name)) {
      left_out.insert(name);
      continue;
    }
    FabricHost& host = by_name[name];
    host.name = name;
    PORTOLAN_CHECK_OK(add_cards(fabric, adapter, words[1], host));
  }
  for (const std::string& name : wanted) {
    if (!by_name.contains(name)) {
      return bad_input(fmt::format("num_nodes: {} names node {}, {} has no adapter of it", compute.nodes_file,
                                   name, fabric.file));
    }
  }
  if (by_name.empty()) {
    return bad_input(
        fmt::format("{}: names no host (allowed: lines of Ca with \"HOST DEVICE\")", fabric.file));
  }
  if (!left_out.empty()) {
    assumed.push_back(fmt::format("{}: {} hosts are not in {} and were left out, {} among them", fabric.file,
                                  left_out.size(), compute.nodes_file, *left_out.begin()));
  }
  std::vector<FabricHost> hosts;
  for (auto& [name, host] : by_name) {
    std::ranges::stable_sort(host.cards, {}, [](const FabricCard& card) { return natural_key(card.name); });
    hosts.push_back(std::move(host));
  }
  keep_compute_cards(fabric, compute, hosts, assumed);
  return hosts;
}

}  // namespace portolan
