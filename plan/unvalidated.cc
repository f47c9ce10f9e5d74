#include "plan/unvalidated.h"

#include <algorithm>
#include <utility>

#include "plan/cost.h"
#include "plan/legality.h"
#include "plan/program_use.h"

namespace portolan {

namespace {

/// Collects what is marked.
class FigureList {
 public:
  template <typename T>
  void note(std::string figure, const Sourced<T>& sourced, bool used) {
    if (used && sourced.unvalidated) {
      list_.push_back({std::move(figure), sourced.source});
    }
  }
  void add(std::string figure, std::string source) {
    list_.push_back({std::move(figure), std::move(source)});
  }
  std::vector<UnvalidatedFigure> take() { return std::move(list_); }

 private:
  std::vector<UnvalidatedFigure> list_;
};

bool has_gemm_points(const DeviceSpec& device, KernelKind kind) {
  const GemmLayout layout = gemm_layout(kind);
  return std::any_of(device.gemm_points.begin(), device.gemm_points.end(),
                     [&](const GemmPoint& point) { return point.layout == layout; });
}

bool has_rate(const DeviceSpec& device, KernelKind kind) {
  return std::any_of(device.kernel_rates.begin(), device.kernel_rates.end(),
                     [&](const KernelRate& rate) { return rate.kernel == kernel_name(kind); });
}

void note_device(const DeviceSpec& device, Precision precision, std::int64_t flash_version,
                 const ProgramUse& use, FigureList& list) {
  const FlashAttention* flash_kernels = find_flash_attention(device, flash_version);
  bool large = false, attention = false, flash = false, tiled = false, by_bytes = false;
  for (const KernelKind kind : use.kernels) {
    const bool by_own_share = is_flash_attention(kind) && flash_kernels != nullptr;
    const bool by_efficiency = by_own_share || (is_gemm(kind) && !has_gemm_points(device, kind));
    const bool by_share = by_efficiency && !by_own_share && !device.gemm_tiles;
    flash |= by_own_share;
    tiled |= by_efficiency && !by_own_share && device.gemm_tiles;
    large |= by_share && !is_attention_gemm(kind);
    attention |= by_share && is_attention_gemm(kind);
    by_bytes |= by_efficiency || (!is_gemm(kind) && !has_rate(device, kind));
  }
  list.note("device.memory", device.memory, true);
  const auto peak = [&](Precision of, bool used) {
    list.note(std::string("device.peak.") + std::string(precision_name(of)), device.peak.at(of), used);
  };
  if (precision == Precision::kFp8) {
    peak(Precision::kFp8, use.fp8_products);
    peak(Precision::kBf16, true);  // of all other products
  } else {
    peak(precision, large || attention || flash || tiled);
  }
  list.note("device.memory_bandwidth", device.memory_bandwidth, by_bytes);
  list.note("device.gemm_efficiency", device.gemm_efficiency, large);
  list.note("device.attention_gemm_efficiency", device.attention_gemm_efficiency, attention);
  if (device.gemm_tiles) {
    list.note("device.gemm_tiles.multiprocessors", device.gemm_tiles->multiprocessors, tiled);
    list.note("device.gemm_tiles.k_overhead", device.gemm_tiles->k_overhead, tiled);
    list.note("device.gemm_tiles.weight_gradient_rate", device.gemm_tiles->weight_gradient_rate, tiled);
  }
  if (flash_kernels != nullptr) {
    list.note("device.flash_attention.efficiency", flash_kernels->efficiency, flash);
    list.note("device.flash_attention.mask_overhead", flash_kernels->mask_overhead, flash);
    list.note("device.flash_attention.forward_rate", flash_kernels->forward_rate, flash);
  }
  list.note("device.memory_efficiency", device.memory_efficiency, by_bytes);
  list.note("device.kernel_launch", device.kernel_launch, by_bytes);
  for (const KernelRate& rate : device.kernel_rates) {
    const std::optional<KernelKind> kind = find_kernel(rate.kernel);
    if (rate.unvalidated && kind && use.kernels.contains(*kind)) {
      list.add("device.kernel_rates." + rate.kernel, rate.source);
    }
  }
  const bool energy = device.power_busy.value.value > 0;
  list.note("device.power_busy", device.power_busy, energy);
  list.note("device.power_idle", device.power_idle, energy);
}

/// What is assumed of the network's cards and switches.
void note_counts(const Hardware& hardware, const ProgramUse& use, FigureList& list) {
  CrossedLinks traffic = use.ring;
  traffic.add(use.send);
  const auto note = [&](const char* key, bool used) {
    const auto known = hardware.count_sources.find(key);
    if (used && known != hardware.count_sources.end() && known->second.unvalidated) {
      list.add(key, known->second.source);
    }
  };
  note("nics_per_node", traffic.nic);
  note("rails", traffic.nic);
  note("nodes_per_pod", traffic.nic);
  note("spines", hardware.spines > 0 ? traffic.trunk : traffic.nic);
  note("links_per_trunk", traffic.trunk);
  note("pods_per_group", traffic.trunk);
  note("core_switches", hardware.core_switches > 0 ? traffic.core_trunk : traffic.trunk);
  note("links_per_core_trunk", traffic.core_trunk);
}

void note_links(const Hardware& hardware, const ProgramUse& use, FigureList& list) {
  const auto link = [&](const std::string& name, const LinkSpec& spec, bool CrossedLinks::*crossed) {
    const bool used = use.ring.*crossed || use.send.*crossed;
    list.note(name + ".bandwidth", spec.bandwidth, used);
    list.note(name + ".latency", spec.latency, use.send.*crossed);
    list.note(name + ".efficiency", spec.efficiency, used);
  };
  link("nvlink", hardware.nvlink, &CrossedLinks::nvlink);
  if (hardware.pcie) {
    link("pcie", *hardware.pcie, &CrossedLinks::pcie);
  }
  link("nic", hardware.nic, &CrossedLinks::nic);
  link("trunk", hardware.trunk, &CrossedLinks::trunk);
  link("core_trunk", hardware.core_trunk, &CrossedLinks::core_trunk);
  list.note("host_memory", hardware.host_memory, use.copies);
  list.note("collective_base", hardware.collective_base, use.ring.nvlink || use.ring.nic);
  list.note("intra_node_step", hardware.intra_node_step, use.ring.nvlink);
  list.note("inter_node_step", hardware.inter_node_step, use.ring.nic);
}

/// Products, of whose precision the device's figures are not: they are of 16-bit ones where it has a peak of
/// these.
void add_precisions(const DeviceSpec& device, Precision precision, const ProgramUse& use, FigureList& list) {
  if (use.fp8_products) {
    list.add("kernel.linear_forward and backward in fp8",
             "the fp8 peak at the efficiency of wider products; none in fp8 was measured");
  }
  const bool measured_in_16_bits =
      device.peak.contains(Precision::kFp16) || device.peak.contains(Precision::kBf16);
  if (use.wide_products && measured_in_16_bits && compute_bytes(precision) == 4) {
    const std::string name(precision_name(precision));
    list.add("kernel.matrix products in " + name,
             (device.gemm_points.empty() ? "the " + name + " peak at the efficiency" : "the rates") +
                 " of 16-bit products; none in " + name + " was measured");
  }
}

/// What a model asks of kernels that others do not.
void add_model(const Scenario& scenario, const Strategy& strategy, const ProgramUse& use, FigureList& list) {
  const DeviceSpec& device = scenario.hardware.device;
  const std::int64_t sequence = scenario.sequence_length;
  if (scenario.model.sliding_window.value_or(sequence) < sequence) {
    list.add("model.sliding_window",
             block_options(scenario, strategy).flash_window > 0
                 ? "its band at the rate of whole sequences; no flash kernel with a window was measured"
                 : "attention as without it, which is more than a framework with windows computes");
  }
  if (use.narrow_values) {
    list.add("kernel.flash_attention of latent attention",
             "the rate of heads whose values are as wide as their queries; no other was measured");
  }
  const bool measured_groups = std::any_of(
      device.gemm_points.begin(), device.gemm_points.end(),
      [](const GemmPoint& point) { return point.layout != GemmLayout::kAttention && point.batch > 1; });
  if (use.grouped_products && !measured_groups) {
    list.add(
        "kernel.linear_forward and backward of experts",
        "one product an expert side by side, at the rate of single ones; no grouped product was measured");
  }
  if (!strategy.gradient_aggregation.compression.is_none()) {
    list.add("gradient_aggregation.compression",
             "passes over memory as its algorithm needs them, and as many steps to a loss as without it; no "
             "implementation was measured");
  }
  if (use.routes) {
    list.add("model.experts", "each gets as many tokens: an assumption; the fullest rank would take longer");
  }
}

void add_what_was_not_measured(const Hardware& hardware, const ProgramUse& use, FigureList& list) {
  for (const CollectiveKind kind : use.collectives) {
    if (kind != CollectiveKind::kAllReduce && kind != CollectiveKind::kShift &&
        !has_points(hardware, measured_name(kind))) {
      list.add(std::string("collective.") + std::string(measured_name(kind)),
               "links at the efficiency of all-reduce; none was measured");
    }
  }
  for (const CollectiveAlgorithm algorithm : use.algorithms) {
    if (algorithm != CollectiveAlgorithm::kRing) {
      list.add(std::string("aggregation.") + std::string(algorithm_name(algorithm)),
               "links at the efficiency of rings; no other algorithm was measured");
    }
  }
  if ((use.sends || use.collectives.contains(CollectiveKind::kShift)) &&
      !has_points(hardware, "send_receive")) {
    list.add("collective.send_receive", "links at the efficiency of all-reduce; none was measured");
  }
  if (use.copies) {
    list.add("copy.host", "PCIe at pcie.efficiency; no copy to or from a host was measured");
    if (hardware.host_memory.value.value == 0) {
      list.add("host_memory", "unknown: what is kept there is not held against it");
    }
  }
  for (const KernelKind kind : use.kernels) {
    if (!is_gemm(kind) && !has_rate(hardware.device, kind)) {
      list.add(std::string("kernel.") + std::string(kernel_name(kind)),
               "its bytes at device.memory_efficiency; no rate of it was measured");
    }
  }
}

void note_software(const Scenario& scenario, const Strategy& strategy, const ProgramUse& use,
                   FigureList& list) {
  const SoftwareProfile& s = scenario.software;
  const TransformerConfig& model = scenario.model;
  const bool scores = use.kernels.contains(KernelKind::kAttentionSoftmaxForward);
  const bool pipeline = strategy.pipeline_parallel > 1;
  const bool tensor = strategy.tensor_parallel > 1;
  const bool swiglu = model.activation == Activation::kSwiGlu;
  list.note("software.vocab_padding", s.vocab_padding, true);
  list.note("software.dropout", s.dropout, true);
  list.note("software.logits_in_fp32", s.logits_in_fp32, compute_bytes(strategy.precision) != 4);
  list.note("software.fused_gradient_accumulation", s.fused_gradient_accumulation,
            !divides_gradients(strategy));
  list.note("software.flash_attention", s.flash_attention, true);
  list.note("software.flash_skips_masked", s.flash_skips_masked, s.flash_attention.value);
  list.note("software.flash_version", s.flash_version, s.flash_attention.value);
  list.note("software.fused_softmax", s.fused_softmax, scores);
  list.note("software.fused_norms", s.fused_norms, model.normalization == Normalization::kRmsNorm);
  list.note("software.fused_activation", s.fused_activation, swiglu || model.linear_bias);
  list.note("software.fused_dropout_add", s.fused_dropout_add, s.dropout.value || model.linear_bias);
  list.note("software.fused_rotary", s.fused_rotary, model.position == PositionEncoding::kRotary);
  list.note("software.fused_residual_gradient", s.fused_residual_gradient, true);
  list.note("software.fused_logits_conversion", s.fused_logits_conversion,
            s.logits_in_fp32.value && compute_bytes(strategy.precision) != 4);
  list.note("software.cross_entropy_passes", s.cross_entropy_passes, true);
  list.note("software.logits_metrics", s.logits_metrics, true);
  list.note("software.host_launch", s.host_launch, true);
  list.note("software.checkpoint_pause", s.checkpoint_pause, use.recomputes);
  const bool fp16 = strategy.precision == Precision::kFp16;
  if (fp16 && s.fp16_gradient_bytes) {
    list.note("software.fp16_gradient_bytes", *s.fp16_gradient_bytes, true);
  } else {
    list.note("software.gradient_bytes", s.gradient_bytes, true);
  }
  list.note("software.narrow_gradients_kept", s.narrow_gradients_kept,
            !s.fused_gradient_accumulation.value &&
                gradient_width(s, strategy.precision) > compute_bytes(strategy.precision));
  list.note("software.fp16_update_copy_bytes", s.fp16_update_copy_bytes, fp16);
  list.note("software.fp16_reduce_buffer", s.fp16_reduce_buffer, fp16 && strategy.zero_stage == 1);
  list.note("software.gather_buffer", s.gather_buffer, strategy.zero_stage == 1);
  list.note("software.optimizer_bytes_per_parameter", s.optimizer_bytes_per_parameter, true);
  list.note("software.recompute_whole_group", s.recompute_whole_group, use.recomputes);
  list.note("software.tensor_overlap", s.tensor_overlap, tensor);
  list.note("software.scatter_gather_pipeline", s.scatter_gather_pipeline,
            pipeline && tensor && !strategy.sequence_parallel);
  list.note("software.blocking_sends", s.blocking_sends, pipeline);
  list.note("software.receive_prefetch", s.receive_prefetch, pipeline);
  list.note("software.gather_prefetch", s.gather_prefetch, divides_parameters(strategy));
  list.note("software.reshard_after_forward", s.reshard_after_forward, divides_parameters(strategy));
  list.note("software.gather_copy", s.gather_copy, divides_parameters(strategy));
  list.note("software.reduce_copy", s.reduce_copy, divides_gradients(strategy));
  list.note("software.reduce_bytes", s.reduce_bytes, divides_gradients(strategy));
  list.note("software.parameter_gather_overlap", s.parameter_gather_overlap,
            gathers_beside_forward(scenario, strategy));
  list.note("software.allocator", s.allocator, true);
  list.note("software.context_memory", s.context_memory, true);
  const bool communicates = strategy.num_ranks() > 1;
  list.note("software.launch_queue_depth", s.launch_queue_depth,
            communicates && s.allocator.value != AllocatorKind::kNone);
  list.note("software.communicator_channels", s.communicator_channels, communicates);
  list.note("software.channel_memory", s.channel_memory, communicates && s.communicator_channels.value > 0);
  list.note("software.framework_memory", s.framework_memory, true);
}

}  // namespace

std::vector<UnvalidatedFigure> unvalidated_figures(const Scenario& scenario, const Strategy& strategy,
                                                   const Program& program, const Cluster& cluster) {
  const ProgramUse use = use_of(program, cluster.healthy());
  FigureList list;
  note_device(scenario.hardware.device, strategy.precision, scenario.software.flash_version.value, use, list);
  note_counts(scenario.hardware, use, list);
  note_links(scenario.hardware, use, list);
  add_precisions(scenario.hardware.device, strategy.precision, use, list);
  add_model(scenario, strategy, use, list);
  add_what_was_not_measured(scenario.hardware, use, list);
  note_software(scenario, strategy, use, list);
  return list.take();
}

}  // namespace portolan
