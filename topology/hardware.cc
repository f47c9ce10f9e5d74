#include "topology/hardware.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "topology/cluster_condition.h"
#include "topology/detour.h"

namespace portolan {

void set_fitted(std::vector<FlashAttention>& versions, FlashAttention fitted) {
  const auto known = std::find_if(versions.begin(), versions.end(),
                                  [&](const FlashAttention& one) { return one.version == fitted.version; });
  if (known != versions.end()) {
    fitted.forward_rate = known->forward_rate;
    versions.erase(known);
  }
  versions.push_back(std::move(fitted));
}

namespace {

/// These bound a cluster's graph to 1.4 GB (measured with both at their limit and PCIe links) and an index to
/// 32 bits.
constexpr std::int64_t kMaxGpus = 1'000'000;
constexpr std::int64_t kMaxTrunks = 1'000'000;
/// Every two nodes that they touch are looked at.
constexpr std::size_t kMostImpairments = 1'000;

std::string_view name_of(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
      return "fp32";
    case Precision::kTf32:
      return "tf32";
    case Precision::kFp16:
      return "fp16";
    case Precision::kBf16:
      return "bf16";
    case Precision::kFp8:
      return "fp8";
  }
  return "unknown precision";
}

/// Runs checks and keeps the first problem; once there is one, later checks do nothing.
class ProblemFinder {
 public:
  bool has_problem() const { return problem_.has_value(); }
  std::optional<HardwareProblem> take() { return std::move(problem_); }

  void require(bool holds, std::string_view key, std::string message) {
    if (!holds && !has_problem()) {
      problem_ = HardwareProblem{std::string(key), std::move(message)};
    }
  }

  void count_at_least(std::int64_t minimum, std::string_view key, std::int64_t count) {
    require(count >= minimum, key, fmt::format("{} is not allowed (must be at least {})", count, minimum));
  }

  /// `unit` follows the value in the message, with its space: " B/s".
  void positive(std::string_view key, double value, std::string_view unit) {
    require(value > 0 && std::isfinite(value), key,
            fmt::format("{}{} is not allowed (must be above zero and finite)", value, unit));
  }

  void not_negative(std::string_view key, double value, std::string_view unit) {
    require(value >= 0 && std::isfinite(value), key,
            fmt::format("{}{} is not allowed (must be zero or more, and finite)", value, unit));
  }

  void share(std::string_view key, double value) {
    require(value > 0 && value <= 1, key,
            fmt::format("{} is not allowed (must be above 0, at most 1)", value));
  }

 private:
  std::optional<HardwareProblem> problem_;
};

void check_nodes(const Hardware& hardware, ProblemFinder& finder) {
  finder.count_at_least(1, "num_nodes", hardware.num_nodes);
  finder.count_at_least(1, "gpus_per_node", hardware.gpus_per_node);
  finder.count_at_least(0, "nics_per_node", hardware.nics_per_node);
  finder.count_at_least(0, "nodes_per_pod", hardware.nodes_per_pod);
  finder.count_at_least(0, "spines", hardware.spines);
  finder.count_at_least(1, "links_per_trunk", hardware.links_per_trunk);
  finder.count_at_least(0, "pods_per_group", hardware.pods_per_group);
  finder.count_at_least(0, "core_switches", hardware.core_switches);
  finder.count_at_least(1, "links_per_core_trunk", hardware.links_per_core_trunk);
  if (finder.has_problem()) {
    return;
  }
  finder.require(hardware.gpus_per_node <= kMaxGpus, "gpus_per_node",
                 fmt::format("{} is not allowed (must be at most {})", hardware.gpus_per_node, kMaxGpus));
  finder.require(hardware.num_nodes <= kMaxGpus / hardware.gpus_per_node, "num_nodes",
                 fmt::format("{} nodes of {} GPUs are not allowed (must be at most {} GPUs together)",
                             hardware.num_nodes, hardware.gpus_per_node, kMaxGpus));
}

/// The counts of core switches and of what they join.
void check_third_tier(const Hardware& hardware, std::int64_t num_pods, std::int64_t num_trunks,
                      ProblemFinder& finder) {
  const std::int64_t num_groups =
      hardware.pods_per_group == 0 ? 1 : (num_pods - 1) / hardware.pods_per_group + 1;
  finder.require(num_groups == 1 || hardware.core_switches >= 1, "core_switches",
                 fmt::format("0 is not allowed with {} groups ({} pods, {} in a group: no link would join "
                             "them; must be at least 1)",
                             num_groups, num_pods, hardware.pods_per_group));
  finder.require(hardware.core_switches == 0 || hardware.spines >= 1, "core_switches",
                 fmt::format("{} is not allowed without spines (must be 0)", hardware.core_switches));
  if (finder.has_problem() || hardware.core_switches == 0) {
    return;
  }
  const std::int64_t num_spines = num_groups * hardware.spines;
  finder.require(hardware.core_switches <= (kMaxTrunks - num_trunks) / num_spines, "core_switches",
                 fmt::format("{} is not allowed with {} spine switches and {} trunks below them (must be at "
                             "most {} trunks together)",
                             hardware.core_switches, num_spines, num_trunks, kMaxTrunks));
}

/// The counts of the network between nodes. Precondition: check_nodes() found nothing.
void check_fabric(const Hardware& hardware, ProblemFinder& finder) {
  finder.require(hardware.nics_per_node >= 1, "nics_per_node",
                 fmt::format("0 is not allowed with {} nodes (must be at least 1)", hardware.num_nodes));
  finder.require(hardware.nodes_per_pod >= 1, "nodes_per_pod",
                 fmt::format("0 is not allowed with {} nodes (must be at least 1)", hardware.num_nodes));
  if (finder.has_problem()) {
    return;
  }
  finder.require(hardware.gpus_per_node % hardware.nics_per_node == 0, "nics_per_node",
                 fmt::format("{} is not allowed (must divide gpus_per_node, {}, as each network card serves "
                             "the same number of GPUs)",
                             hardware.nics_per_node, hardware.gpus_per_node));
  const std::int64_t num_pods = (hardware.num_nodes - 1) / hardware.nodes_per_pod + 1;
  finder.require(num_pods == 1 || hardware.spines >= 1, "spines",
                 fmt::format("0 is not allowed with {} pods ({} nodes, {} in a pod: no link would join them; "
                             "must be at least 1)",
                             num_pods, hardware.num_nodes, hardware.nodes_per_pod));
  if (finder.has_problem()) {
    return;
  }
  const std::int64_t num_leaves = num_pods * (hardware.rails ? hardware.nics_per_node : 1);
  finder.require(hardware.spines <= kMaxTrunks / num_leaves, "spines",
                 fmt::format("{} is not allowed with {} leaf switches (must be at most {} trunks together)",
                             hardware.spines, num_leaves, kMaxTrunks));
  if (finder.has_problem()) {
    return;
  }
  check_third_tier(hardware, num_pods, num_leaves * hardware.spines, finder);
}

void check_gemm_points(const std::vector<GemmPoint>& points, ProblemFinder& finder) {
  for (std::size_t i = 0; i < points.size(); ++i) {
    const GemmPoint& point = points[i];
    finder.require(
        point.batch >= 1 && point.m >= 1 && point.n >= 1 && point.k >= 1, "device.gemm_points",
        fmt::format("point {}: batch {}, m {}, n {}, k {} is not allowed (must be at least 1 each)", i + 1,
                    point.batch, point.m, point.n, point.k));
    finder.require(point.rate.value > 0 && std::isfinite(point.rate.value), "device.gemm_points",
                   fmt::format("point {}: rate {} FLOP/s is not allowed (must be above zero and finite)",
                               i + 1, point.rate.value));
  }
}

void check_flash_attention(const std::vector<FlashAttention>& versions, ProblemFinder& finder) {
  for (std::size_t i = 0; i < versions.size(); ++i) {
    const FlashAttention& one = versions[i];
    finder.require(one.version >= 1, "device.flash_attention",
                   fmt::format("version {} is not allowed (must be at least 1)", one.version));
    const bool twice = std::any_of(versions.begin(), versions.begin() + static_cast<std::ptrdiff_t>(i),
                                   [&](const FlashAttention& other) { return other.version == one.version; });
    finder.require(!twice, "device.flash_attention",
                   fmt::format("version {} is there twice (must be there once)", one.version));
    finder.require(one.efficiency.value > 0 && one.efficiency.value <= 1, "device.flash_attention",
                   fmt::format("version {}: efficiency {} is not allowed (must be above 0, at most 1)",
                               one.version, one.efficiency.value));
    finder.require(
        one.mask_overhead.value >= 0 && std::isfinite(one.mask_overhead.value), "device.flash_attention",
        fmt::format("version {}: mask_overhead {} is not allowed (must be zero or more, and finite)",
                    one.version, one.mask_overhead.value));
    finder.require(one.forward_rate.value >= 0.1 && one.forward_rate.value <= 10, "device.flash_attention",
                   fmt::format("version {}: forward_rate {} is not allowed (must be 0.1 to 10)", one.version,
                               one.forward_rate.value));
    finder.require(one.forward_efficiency() <= 1 && one.backward_efficiency() <= 1, "device.flash_attention",
                   fmt::format("version {}: efficiency {} with forward_rate {} is not allowed (neither way "
                               "must be above the peak)",
                               one.version, one.efficiency.value, one.forward_rate.value));
  }
}

void check_gemm_tiles(const GemmTiles& tiles, ProblemFinder& finder) {
  finder.count_at_least(1, "device.gemm_tiles.multiprocessors", tiles.multiprocessors.value);
  finder.not_negative("device.gemm_tiles.k_overhead", tiles.k_overhead.value, "");
  finder.share("device.gemm_tiles.weight_gradient_rate", tiles.weight_gradient_rate.value);
  finder.require(!tiles.sizes.empty(), "device.gemm_tiles.sizes", "none is given (must give at least one)");
  for (std::size_t i = 0; i < tiles.sizes.size(); ++i) {
    const GemmTile& tile = tiles.sizes[i];
    finder.require(
        tile.m >= 1 && tile.n >= 1, "device.gemm_tiles.sizes",
        fmt::format("size {}: m {}, n {} is not allowed (must be at least 1 each)", i + 1, tile.m, tile.n));
    finder.require(tile.efficiency > 0 && tile.efficiency <= 1, "device.gemm_tiles.sizes",
                   fmt::format("size {}: efficiency {} is not allowed (must be above 0, at most 1)", i + 1,
                               tile.efficiency));
  }
}

void check_kernel_rates(const std::vector<KernelRate>& rates, ProblemFinder& finder) {
  for (std::size_t i = 0; i < rates.size(); ++i) {
    const KernelRate& rate = rates[i];
    finder.require(!rate.kernel.empty(), "device.kernel_rates",
                   fmt::format("rate {}: \"\" is not allowed (must name a kernel)", i + 1));
    finder.require(rate.elements >= 1, "device.kernel_rates",
                   fmt::format("rate {} ({}): {} elements is not allowed (must be at least 1)", i + 1,
                               rate.kernel, rate.elements));
    finder.require(rate.rate.value > 0 && std::isfinite(rate.rate.value), "device.kernel_rates",
                   fmt::format("rate {} ({}): {} B/s is not allowed (must be above zero and finite)", i + 1,
                               rate.kernel, rate.rate.value));
  }
}

void check_device(const DeviceSpec& device, ProblemFinder& finder) {
  finder.require(device.memory.value.value > 0, "device.memory",
                 fmt::format("{} B is not allowed (must be above zero)", device.memory.value.value));
  finder.require(!device.peak.empty(), "device.peak",
                 "no precision is given (must give at least one of fp32, tf32, fp16, bf16, fp8)");
  for (const auto& [precision, peak] : device.peak) {
    finder.require(peak.value.value > 0 && std::isfinite(peak.value.value), "device.peak",
                   fmt::format("{}: {} FLOP/s is not allowed (must be above zero and finite)",
                               name_of(precision), peak.value.value));
  }
  finder.positive("device.memory_bandwidth", device.memory_bandwidth.value.value, " B/s");
  finder.share("device.gemm_efficiency", device.gemm_efficiency.value);
  finder.share("device.attention_gemm_efficiency", device.attention_gemm_efficiency.value);
  check_flash_attention(device.flash_attention, finder);
  finder.share("device.memory_efficiency", device.memory_efficiency.value);
  finder.not_negative("device.kernel_launch", device.kernel_launch.value.value, " s");
  if (device.gemm_tiles) {
    check_gemm_tiles(*device.gemm_tiles, finder);
  }
  check_gemm_points(device.gemm_points, finder);
  check_kernel_rates(device.kernel_rates, finder);
  finder.not_negative("device.power_busy", device.power_busy.value.value, " W");
  finder.count_at_least(0, "device.multiprocessors", device.multiprocessors.value);
  finder.not_negative("device.power_idle", device.power_idle.value.value, " W");
}

void check_link(const LinkSpec& link, const std::string& key, ProblemFinder& finder) {
  finder.positive(key + ".bandwidth", link.bandwidth.value.value, " B/s");
  finder.not_negative(key + ".latency", link.latency.value.value, " s");
  finder.share(key + ".efficiency", link.efficiency.value);
}

void check_collective_points(const std::vector<CollectivePoint>& points, ProblemFinder& finder) {
  for (std::size_t i = 0; i < points.size(); ++i) {
    const CollectivePoint& point = points[i];
    finder.require(!point.collective.empty(), "collective_points",
                   fmt::format("point {}: \"\" is not allowed (must name a collective)", i + 1));
    finder.require(point.num_ranks >= 2, "collective_points",
                   fmt::format("point {} ({}): {} ranks is not allowed (must be at least 2)", i + 1,
                               point.collective, point.num_ranks));
    finder.require(point.size.value >= 1, "collective_points",
                   fmt::format("point {} ({}): {} B is not allowed (must be at least 1 B)", i + 1,
                               point.collective, point.size.value));
    finder.require(point.time.value > 0 && std::isfinite(point.time.value), "collective_points",
                   fmt::format("point {} ({}): {} s is not allowed (must be above zero and finite)", i + 1,
                               point.collective, point.time.value));
  }
}

/// Precondition: nothing else is a problem.
void check_condition(const Hardware& hardware, ProblemFinder& finder) {
  const ClusterLayout layout(hardware);
  finder.require(hardware.condition.size() <= kMostImpairments, "condition",
                 fmt::format("{} things that are wrong are not allowed (must be at most {})",
                             hardware.condition.size(), kMostImpairments));
  ClusterCondition condition;
  for (std::size_t i = 0; i < hardware.condition.size() && !finder.has_problem(); ++i) {
    if (const auto added = condition.add(layout, hardware.condition[i]); !added) {
      finder.require(false, fmt::format("condition[{}]", i), added.error().message);
    }
  }
  if (finder.has_problem()) {
    return;
  }
  finder.require(std::ssize(condition.failed_nodes()) < hardware.num_nodes, "condition",
                 "every node has failed (must leave at least 1)");
  const auto unreachable = find_unreachable(layout, condition);
  finder.require(!unreachable, "condition", unreachable.value_or(""));
}

}  // namespace

std::optional<HardwareProblem> find_problem(const Hardware& hardware) {
  ProblemFinder finder;
  check_nodes(hardware, finder);
  const bool has_fabric = hardware.num_nodes > 1;
  if (has_fabric && !finder.has_problem()) {
    check_fabric(hardware, finder);
  }
  check_device(hardware.device, finder);
  check_link(hardware.nvlink, "nvlink", finder);
  if (hardware.pcie) {
    check_link(*hardware.pcie, "pcie", finder);
  }
  if (has_fabric) {
    check_link(hardware.nic, "nic", finder);
  }
  if (has_fabric && hardware.spines > 0) {
    check_link(hardware.trunk, "trunk", finder);
  }
  if (has_fabric && hardware.core_switches > 0) {
    check_link(hardware.core_trunk, "core_trunk", finder);
  }
  finder.not_negative("collective_base", hardware.collective_base.value.value, " s");
  finder.not_negative("intra_node_step", hardware.intra_node_step.value.value, " s");
  finder.not_negative("inter_node_step", hardware.inter_node_step.value.value, " s");
  check_collective_points(hardware.collective_points, finder);
  finder.not_negative("price_per_gpu_hour", hardware.price_per_gpu_hour.value, "");
  if (!hardware.condition.empty() && !finder.has_problem()) {
    check_condition(hardware, finder);
  }
  return finder.take();
}

}  // namespace portolan
