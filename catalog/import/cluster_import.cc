#include "catalog/import/cluster_import.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "base/parse_quantity.h"
#include "catalog/import/fat_tree.h"
#include "catalog/import/node_report.h"
#include "catalog/import/pods.h"

namespace portolan {

namespace {

/// Speeds that differ by less are two words for one: NCCL says 56 Gbit/s of FDR, whose data are 54.5, and 40
/// of QDR, whose data are 32. A narrower or slower link is half.
constexpr double kSameSpeed = 0.75;

void append(const std::vector<std::string>& lines, std::vector<std::string>& all) {
  all.insert(all.end(), lines.begin(), lines.end());
}

/// What Slurm's tree says in the terms of Hardware.
struct SlurmReport {
  std::vector<std::string> nodes;
  std::int64_t num_pods = 0;
  std::int64_t nodes_per_pod = 0;
  std::string link_speed;  ///< the first one written
};

Result<SlurmReport> report_of(const SlurmTopology& topology) {
  SlurmReport report;
  if (topology.roots.size() > 1) {
    const auto name = [&](std::size_t i) { return topology.switches[topology.roots[i]].name; };
    return infeasible(
        fmt::format("{}: {} switches are below no other ({}, {}): parts that nothing joins are not described",
                    topology.file, topology.roots.size(), name(0), name(1)));
  }
  const SlurmSwitch& root = topology.switches[topology.roots.front()];
  if (root.level > 2) {
    return infeasible(
        fmt::format("{}: {} levels of switches below {}: a third tier is not described yet (allowed: 2)",
                    topology.file, root.level, root.name));
  }
  std::vector<Pod> pods;
  for (const SlurmSwitch& one : topology.switches) {
    if (one.level == 1) {
      pods.push_back({.name = one.name, .num_nodes = static_cast<std::int64_t>(one.nodes.size())});
      for (const std::string& node : one.nodes) {
        report.nodes.push_back(node.substr(0, node.find('.')));
      }
    }
    if (report.link_speed.empty()) {
      report.link_speed = one.link_speed;
    }
  }
  report.num_pods = static_cast<std::int64_t>(pods.size());
  PORTOLAN_TRY(report.nodes_per_pod, find_nodes_per_pod(std::move(pods), topology.file));
  return report;
}

class ClusterImporter {
 public:
  ClusterImporter(const ClusterReports& reports, std::string name) : reports_(reports) {
    hardware_.name = std::move(name);
  }

  Result<ImportedHardware> import() {
    say_where_to_look();
    if (reports_.nvidia_smi) {
      PORTOLAN_TRY(const NodeReport node, report_of(*reports_.nvidia_smi));
      PORTOLAN_CHECK_OK(add_node(node));
    }
    if (reports_.nccl) {
      PORTOLAN_TRY(const NodeReport node, report_of(*reports_.nccl));
      PORTOLAN_CHECK_OK(add_node(node));
    }
    if (reports_.slurm) {
      PORTOLAN_TRY(slurm_, report_of(*reports_.slurm));
      add_slurm();
    }
    if (reports_.infiniband) {
      PORTOLAN_CHECK_OK(add_fabric());
    }
    PORTOLAN_CHECK_OK(check_cards());
    return std::move(hardware_);
  }

 private:
  void say_where_to_look() {
    hardware_.num_nodes.source = "no input says it; nodes of the cluster";
    hardware_.gpus_per_node.source = "no input says it; nvidia-smi -L on a node";
    hardware_.nics_per_node.source = "no input says it; ibstat on a node";
    hardware_.nodes_per_pod.source =
        "no input says it; nodes below one leaf switch, all of them with one tier";
    hardware_.spines.source = "no input says it; spine switches, 0 with one tier";
    hardware_.nvlink_bandwidth.source = "no input says it; the GPU's datasheet, one direction";
    hardware_.nic_bandwidth.source = "no input says it; ibstat on a node";
    hardware_.trunk_bandwidth.source = "no input says it; links between a leaf and a spine switch, together";
  }

  Result<void> add_node(const NodeReport& node) {
    PORTOLAN_CHECK_OK(check_nodes_agree(node));
    hardware_.gpus_per_node = {.value = node.num_gpus,
                               .source = fmt::format("{}: GPUs of a node", node.file)};
    if (node.cards) {
      hardware_.nics_per_node = {.value = static_cast<std::int64_t>(node.cards->size()),
                                 .source = fmt::format("{}: network cards near GPUs of a node", node.file)};
      hardware_.nic_bandwidth.value = node.nic_bandwidth.value;
      if (!node.nic_bandwidth.source.empty()) {
        hardware_.nic_bandwidth.source = node.nic_bandwidth.source;
      }
      cards_ = *node.cards;
    }
    hardware_.nvlink_bandwidth = node.nvlink_bandwidth;
    if (node.pcie_bandwidth) {
      hardware_.pcie_bandwidth = node.pcie_bandwidth;
    }
    append(node.assumed, hardware_.assumed);
    last_node_ = node;
    return {};
  }

  /// Against the report before.
  Result<void> check_nodes_agree(const NodeReport& node) const {
    if (!last_node_) {
      return {};
    }
    const NodeReport& other = *last_node_;
    const auto contradicts = [&](std::string_view key, auto here, auto there, std::string_view what) {
      return bad_input(fmt::format("{}: {} has {} {}, {} has {} (allowed: reports of equal nodes)", key,
                                   other.file, there, what, node.file, here));
    };
    if (node.num_gpus != other.num_gpus) {
      return contradicts("gpus_per_node", node.num_gpus, other.num_gpus, "GPUs");
    }
    if (node.cards && other.cards && node.cards->size() != other.cards->size()) {
      return contradicts("nics_per_node", node.cards->size(), other.cards->size(), "network cards near GPUs");
    }
    if (node.num_gpus > 1 && node.links_of_pair != other.links_of_pair) {
      return contradicts("nvlink", node.links_of_pair, other.links_of_pair, "NVLinks between two GPUs");
    }
    return {};
  }

  void add_slurm() {
    const std::string& file = reports_.slurm->file;
    hardware_.num_nodes = {.value = static_cast<std::int64_t>(slurm_.nodes.size()),
                           .source = fmt::format("{}: nodes below switches", file)};
    hardware_.nodes_per_pod = {
        .value = slurm_.nodes_per_pod,
        .source = fmt::format("{}: nodes of each leaf switch, {} of them", file, slurm_.num_pods)};
    if (slurm_.num_pods == 1) {
      hardware_.spines = {.value = 0, .source = fmt::format("{}: one leaf switch", file)};
    } else {
      hardware_.spines.source = fmt::format(
          "{}: {} leaf switches are joined, it does not say by how many spines", file, slurm_.num_pods);
    }
    if (!slurm_.link_speed.empty()) {
      hardware_.assumed.push_back(
          fmt::format("{}: LinkSpeed={} was passed over: Slurm gives it no unit", file, slurm_.link_speed));
    }
  }

  Result<void> add_fabric() {
    ComputeAdapters compute{.nodes = {}, .nodes_file = {}, .cards = cards_};
    if (reports_.slurm) {
      compute.nodes = slurm_.nodes;
      compute.nodes_file = reports_.slurm->file;
    }
    PORTOLAN_TRY(const FatTree tree, find_fat_tree(*reports_.infiniband, compute));
    PORTOLAN_CHECK_OK(check_fabric_agrees(tree));
    const std::string& file = reports_.infiniband->file;
    const auto told = [&](std::int64_t value, std::string_view what) {
      return Imported<std::int64_t>{.value = value, .source = fmt::format("{}: {}", file, what)};
    };
    hardware_.num_nodes = told(tree.num_nodes, "hosts with adapters");
    hardware_.nics_per_node = told(tree.cards_per_node, "adapters of a host");
    hardware_.nodes_per_pod = told(
        tree.nodes_per_pod, fmt::format("hosts below the same leaf switches, {} pods of {} leaf switches",
                                        tree.num_pods, tree.leaves_per_pod));
    hardware_.spines = told(tree.spines, "switches that join leaf switches");
    hardware_.nic_bandwidth = {.value = tree.card_rate,
                               .source = fmt::format("{}: {}", file, tree.card_rate_word)};
    if (tree.spines > 0) {
      const double links =
          static_cast<double>(tree.links_per_trunk) / static_cast<double>(tree.cards_per_leaf());
      hardware_.trunk_bandwidth = {
          .value = tree.trunk_rate * links,
          .source = fmt::format(
              "{}: {} x {} from a leaf to a spine switch{}", file, tree.links_per_trunk, tree.trunk_rate_word,
              tree.cards_per_leaf() > 1 ? fmt::format(", shared by {} rails", tree.cards_per_leaf()) : "")};
    }
    append(tree.assumed, hardware_.assumed);
    return {};
  }

  Result<void> check_fabric_agrees(const FatTree& tree) const {
    const std::string& file = reports_.infiniband->file;
    const auto& nics = hardware_.nics_per_node;
    if (nics.value && *nics.value != tree.cards_per_node) {
      return bad_input(
          fmt::format("nics_per_node: {} has {} network cards near GPUs, {} has {} adapters of a host "
                      "(allowed: reports of equal nodes)",
                      last_node_->file, *nics.value, file, tree.cards_per_node));
    }
    if (reports_.slurm && slurm_.nodes_per_pod != tree.nodes_per_pod) {
      return bad_input(
          fmt::format("nodes_per_pod: {} has {} nodes below a leaf switch, {} has {} (allowed: equal "
                      "pods; leave --slurm out to go by the cables)",
                      reports_.slurm->file, slurm_.nodes_per_pod, file, tree.nodes_per_pod));
    }
    if (const auto& speed = hardware_.nic_bandwidth.value) {
      const double ratio = *speed / tree.card_rate;
      if (ratio < kSameSpeed || ratio > 1 / kSameSpeed) {
        return bad_input(
            fmt::format("nic.bandwidth: {} has {}, {} has {} ({}) (allowed: reports of equal nodes)",
                        last_node_->file, format_bytes_per_second(*speed), file,
                        format_bytes_per_second(tree.card_rate), tree.card_rate_word));
      }
    }
    return {};
  }

  Result<void> check_cards() const {
    const auto& gpus = hardware_.gpus_per_node;
    const auto& nics = hardware_.nics_per_node;
    if (gpus.value && nics.value && *nics.value > 0 && *gpus.value % *nics.value != 0) {
      return infeasible(fmt::format(
          "nics_per_node: {} network cards ({}) for {} GPUs ({}) are not described yet (allowed: a number "
          "that divides the GPUs)",
          *nics.value, nics.source, *gpus.value, gpus.source));
    }
    return {};
  }

  const ClusterReports& reports_;
  ImportedHardware hardware_;
  SlurmReport slurm_;
  std::optional<NodeReport> last_node_;
  std::vector<std::string> cards_;
};

}  // namespace

Result<ImportedHardware> import_cluster(const ClusterReports& reports, std::string name) {
  if (!reports.nccl && !reports.nvidia_smi && !reports.slurm && !reports.infiniband) {
    return bad_input(
        "nothing to import (allowed: at least one of --nccl-topo, --nvidia-smi, --slurm, --ibnetdiscover)");
  }
  if (name.empty()) {
    return bad_input("--name: is empty (allowed: a name for the hardware)");
  }
  return ClusterImporter(reports, std::move(name)).import();
}

}  // namespace portolan
