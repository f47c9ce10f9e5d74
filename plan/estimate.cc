#include "plan/estimate.h"

#include <algorithm>

#include "plan/block_lowering.h"
#include "plan/closed_form.h"
#include "plan/legality.h"
#include "plan/recompute_groups.h"

namespace portolan {

Flops recompute_flops(const Scenario& scenario, const Strategy& strategy) {
  const BlockOptions options = block_options(scenario, strategy);
  Flops per_microbatch;
  for (const LayerKind kind : {LayerKind::kDense, LayerKind::kExperts}) {
    const std::int64_t of_kind = num_layers_of(scenario.model, kind);
    if (of_kind == 0) {
      continue;
    }
    const Block layer = layer_block(scenario.model, options, kind);
    const auto flops_of = [&](const RecomputeSet& set, bool with_output) {
      const std::vector<bool> recomputed =
          kernels_to_recompute(layer, set, scenario.software.recompute_whole_group.value, with_output);
      Flops flops;
      for (std::size_t k = 0; k < recomputed.size(); ++k) {
        if (recomputed[k] && is_gemm(layer.forward[k].kernel.kind)) {
          flops += layer.forward[k].kernel.flops;
        }
      }
      return flops;
    };
    const Recompute& recompute = strategy.recompute;
    if (recompute.per_layer.empty() && recompute.layers_per_group == 1) {
      per_microbatch += flops_of(recompute.all_layers, false) * static_cast<double>(of_kind);
      continue;
    }
    std::int64_t layer_index = 0;
    for (const std::int32_t count : layers_of_stages(scenario, strategy)) {
      for (std::int32_t i = 0; i < count; ++i, ++layer_index) {
        if (layer_kind(scenario.model, layer_index) == kind) {
          per_microbatch +=
              flops_of(recompute.of_layer(layer_index), !ends_group(i, count, recompute.layers_per_group));
        }
      }
    }
  }
  const double microbatches =
      static_cast<double>(scenario.global_batch) / static_cast<double>(strategy.microbatch_size);
  return per_microbatch * (microbatches * strategy.tensor_parallel * strategy.context_parallel);
}

void complete_estimate(Estimate& estimate, const Scenario& scenario) {
  const Strategy& strategy = estimate.strategy;
  const DeviceSpec& device = scenario.hardware.device;
  const double batch = static_cast<double>(scenario.global_batch);
  const double gpus = static_cast<double>(strategy.num_ranks());
  const double step = estimate.step_time.value;
  estimate.peak_memory = Bytes(0);
  for (const StageMemory& memory : estimate.stage_memory) {
    estimate.peak_memory = std::max(estimate.peak_memory, memory.reserved);
  }
  if (step <= 0) {
    return;
  }
  const Flops model = model_flops_per_sequence(scenario.model, scenario.sequence_length) * batch;
  const Flops hardware = model + recompute_flops(scenario, strategy);
  const double peak = device.peak.at(strategy.precision).value.value * gpus * step;
  estimate.mfu_pct = 100 * model.value / peak;
  estimate.hfu_pct = 100 * hardware.value / peak;
  estimate.tokens_per_s = batch * static_cast<double>(scenario.sequence_length) / step;
  const Seconds busy =
      estimate.breakdown.compute + estimate.breakdown.recompute + estimate.breakdown.optimizer;
  estimate.energy =
      (device.power_busy.value * busy + device.power_idle.value * (estimate.step_time - busy)) * gpus;
  estimate.cost = scenario.hardware.price_per_gpu_hour.value * gpus * step / 3600;
}

}  // namespace portolan
