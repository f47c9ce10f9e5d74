#include "catalog/import/node_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/parse_quantity.h"
#include "catalog/import/link_rates.h"

namespace portolan {

namespace {

Error refuse(std::string_view file, std::string_view message) {
  return infeasible(fmt::format("{}: {}", file, message));
}

struct NamedCard {
  std::string name;
  bool is_near_gpu = false;
};

/// Keeps the cards near GPUs: others carry storage and logins on the machines known.
void keep_near_cards(const std::vector<NamedCard>& cards, NodeReport& report) {
  const bool any_near = std::ranges::any_of(cards, &NamedCard::is_near_gpu);
  report.cards.emplace();
  std::string left_out;
  std::size_t num_left_out = 0;
  for (const NamedCard& card : cards) {
    if (card.is_near_gpu || !any_near) {
      report.cards->push_back(card.name);
    } else {
      left_out += (left_out.empty() ? "" : ", ") + card.name;
      ++num_left_out;
    }
  }
  if (num_left_out > 0) {
    report.assumed.push_back(
        fmt::format("{}: {} of {} network cards share no PCIe switch with a GPU and were left out ({})",
                    report.file, num_left_out, cards.size(), left_out));
  }
}

/// Between every two GPUs directly, by equally many links; 0 where there is an NVSwitch.
Result<std::int64_t> find_links_of_pair(const NcclTopology& topology) {
  std::int64_t links = 0;
  for (std::size_t a = 0; a < topology.gpus.size(); ++a) {
    for (std::size_t b = 0; b < topology.gpus.size(); ++b) {
      const auto& peers = topology.gpus[a].num_peer_links;
      const std::int64_t here = a == b || peers.empty() ? links : peers[b];
      if (a != b && here == 0) {
        return refuse(topology.file,
                      fmt::format("GPUs {} and {} have no NVLink between them, others have: NVLink "
                                  "between some pairs only is not described yet",
                                  a, b));
      }
      if (a != b && links > 0 && here != links) {
        return refuse(topology.file,
                      fmt::format("GPUs {} and {} have {} NVLinks between them, others {}: unequal "
                                  "pairs are not described yet",
                                  a, b, here, links));
      }
      links = here;
    }
  }
  return links;
}

/// All GPUs are described with the slowest PCIe link on the way of any to the CPU.
Imported<BytesPerSecond> find_pcie(const NcclTopology& topology, NodeReport& report) {
  const auto unknown =
      std::ranges::find(topology.gpus, false, [](const NcclGpu& g) { return g.pcie.has_value(); });
  if (unknown != topology.gpus.end()) {
    return {.value = {},
            .source =
                fmt::format("{}: a PCIe link of unknown speed (line {}); the GPU's datasheet, one direction",
                            topology.file, unknown->line)};
  }
  const auto [least, most] =
      std::ranges::minmax(topology.gpus, {}, [](const NcclGpu& gpu) { return gpu.pcie->rate; });
  const NcclPcieLink& slowest = *least.pcie;
  const NcclPcieLink& fastest = *most.pcie;
  if (slowest.rate < fastest.rate) {
    report.assumed.push_back(fmt::format(
        "{}: PCIe of GPUs differs, {} (line {}) and {} (line {}): all are described with the slower",
        topology.file, slowest.word, slowest.line, fastest.word, fastest.line));
  }
  if (topology.gpus_per_pcie_switch > 1) {
    report.assumed.push_back(
        fmt::format("{}: up to {} GPUs share a PCIe link to the CPU: described as if each had its own",
                    topology.file, topology.gpus_per_pcie_switch));
  }
  return {.value = slowest.rate,
          .source = fmt::format("{}: {} (line {}), the slowest PCIe link from a GPU to the CPU",
                                topology.file, slowest.word, slowest.line)};
}

/// Without NVLink, a GPU's way to the others is PCIe. Precondition: report.pcie_bandwidth is set.
void use_pcie(const NcclTopology& topology, NodeReport& report) {
  const Imported<BytesPerSecond>& pcie = *report.pcie_bandwidth;
  report.nvlink_bandwidth = {.value = pcie.value, .source = pcie.source + "; no NVLink"};
  if (pcie.value) {
    report.assumed.push_back(fmt::format(
        "{}: no NVLink: nvlink is a GPU's PCIe link of {}; what it shares with pcie, PCIe switches and CPUs "
        "is not described",
        topology.file, format_bytes_per_second(*pcie.value)));
  }
}

Result<void> find_nvlink(const NcclTopology& topology, NodeReport& report) {
  const NcclGpu& first = topology.gpus.front();
  const std::int64_t num_links = first.num_links();
  bool has_switch = false;
  for (const NcclGpu& gpu : topology.gpus) {
    if (gpu.num_links() != num_links) {
      return refuse(
          topology.file,
          fmt::format("the GPU in line {} has {} NVLinks, that in line {} has {}: GPUs must be equal",
                      first.line, num_links, gpu.line, gpu.num_links()));
    }
    if (gpu.sm != first.sm) {
      return refuse(topology.file, fmt::format("GPUs of compute capability {} and {}: GPUs must be equal",
                                               first.sm.value_or(0), gpu.sm.value_or(0)));
    }
    has_switch = has_switch || gpu.num_switch_links > 0;
  }
  if (num_links == 0) {
    use_pcie(topology, report);
    return {};
  }
  report.links_of_pair = num_links;
  if (!has_switch) {
    PORTOLAN_TRY(report.links_of_pair, find_links_of_pair(topology));
    report.assumed.push_back(fmt::format(
        "{}: {} NVLinks join each pair of GPUs without a switch: described as a switch with {} links a GPU",
        topology.file, report.links_of_pair, num_links));
  }
  const std::optional<BytesPerSecond> rate = first.sm ? nvlink_rate(*first.sm) : std::nullopt;
  if (!rate) {
    report.nvlink_bandwidth.source = fmt::format(
        "{}: {} NVLinks a GPU; the rate of one is in the GPU's datasheet", topology.file, num_links);
    return {};
  }
  report.nvlink_bandwidth = {
      .value = *rate * static_cast<double>(num_links),
      .source = fmt::format("{}: {} NVLinks a GPU; {} each (compute capability {}, NVIDIA's white paper)",
                            topology.file, num_links, format_bytes_per_second(*rate), *first.sm)};
  return {};
}

Result<void> find_nic_speed(const NcclTopology& topology, NodeReport& report) {
  const NcclCard* first = nullptr;
  for (const NcclCard& card : topology.cards) {
    if (std::ranges::find(*report.cards, card.name) == report.cards->end()) {
      continue;
    }
    first = first == nullptr ? &card : first;
    if (card.speed != first->speed) {
      const auto speed_of = [](const NcclCard& c) {
        return c.speed ? format_bytes_per_second(*c.speed) : std::string("unknown speed");
      };
      return refuse(topology.file,
                    fmt::format("network cards {} ({}) and {} ({}) differ: cards near GPUs must be equal",
                                first->name, speed_of(*first), card.name, speed_of(card)));
    }
  }
  report.nic_bandwidth = {.value = first->speed,
                          .source = fmt::format("{}: speed of {}", topology.file, first->name)};
  if (!first->speed) {
    report.nic_bandwidth.source = fmt::format("{} gives {} no speed", topology.file, first->name);
  }
  return {};
}

}  // namespace

Result<NodeReport> report_of(const NcclTopology& topology) {
  NodeReport report;
  report.file = topology.file;
  report.num_gpus = static_cast<std::int64_t>(topology.gpus.size());
  report.pcie_bandwidth = find_pcie(topology, report);
  PORTOLAN_CHECK_OK(find_nvlink(topology, report));
  // A run on one node opens no network, so that no card says nothing.
  if (!topology.cards.empty()) {
    std::vector<NamedCard> cards;
    for (const NcclCard& card : topology.cards) {
      cards.push_back({.name = card.name, .is_near_gpu = card.is_near_gpu});
    }
    keep_near_cards(cards, report);
    PORTOLAN_CHECK_OK(find_nic_speed(topology, report));
  }
  return report;
}

Result<NodeReport> report_of(const NvidiaSmiTopology& topology) {
  NodeReport report;
  report.file = topology.file;
  report.num_gpus = static_cast<std::int64_t>(topology.num_gpus);
  for (std::size_t a = 0; a < topology.num_gpus; ++a) {
    for (std::size_t b = a + 1; b < topology.num_gpus; ++b) {
      const std::int64_t links = topology.between(a, b).num_links;
      if (a == 0 && b == 1) {
        report.links_of_pair = links;
      } else if (links != report.links_of_pair) {
        return refuse(
            topology.file,
            fmt::format("GPUs {} and {} have {} NVLinks between them, GPUs 0 and 1 have {}: unequal pairs "
                        "are not described yet",
                        a, b, links, report.links_of_pair));
      }
    }
  }
  report.nvlink_bandwidth.source =
      report.links_of_pair > 0
          ? fmt::format("{}: NV{} between GPUs; the rate of a link is in the GPU's datasheet", topology.file,
                        report.links_of_pair)
          : fmt::format("{}: no NVLink; the PCIe link of a GPU", topology.file);
  std::vector<NamedCard> cards;
  for (std::size_t i = 0; i < topology.cards.size(); ++i) {
    cards.push_back({.name = topology.cards[i], .is_near_gpu = topology.is_near_gpu(i)});
  }
  keep_near_cards(cards, report);
  return report;
}

}  // namespace portolan
