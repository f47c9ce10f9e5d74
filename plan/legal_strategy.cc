// What follows from a strategy that breaks no rule.
#include "plan/legality.h"
#include "plan/schedule.h"

namespace portolan {

Precision wide_precision(Precision precision) {
  return precision == Precision::kFp8 ? Precision::kBf16 : precision;
}

std::int32_t num_microbatches(const Scenario& scenario, const Strategy& strategy) {
  return static_cast<std::int32_t>(scenario.global_batch / strategy.data_parallel / strategy.microbatch_size);
}

std::vector<std::int32_t> layers_of_stages(const Scenario& scenario, const Strategy& strategy) {
  return layers_of_stages(scenario.model.num_layers, strategy);
}

std::int64_t compute_bytes(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
    case Precision::kTf32:
      return 4;
    case Precision::kFp16:
    case Precision::kBf16:
    case Precision::kFp8:  // of the layers' linear products alone
      return 2;
  }
  return 4;
}

std::int32_t num_data_ranks(const Strategy& s) { return s.data_parallel * s.context_parallel; }
std::int32_t zero_sharers(const Strategy& s) { return s.zero_group == 0 ? num_data_ranks(s) : s.zero_group; }

std::int32_t num_expert_data_ranks(const Strategy& s) { return num_data_ranks(s) / s.expert_parallel; }
std::int32_t expert_sharers(const Strategy& s) { return zero_sharers(s) / s.expert_parallel; }

bool divides_gradients(const Strategy& s) { return s.zero_stage >= 2 && zero_sharers(s) > 1; }
bool divides_parameters(const Strategy& s) { return s.zero_stage >= 3 && zero_sharers(s) > 1; }

bool has_all_reduces(const Strategy& s) {
  return num_data_ranks(s) > (s.zero_stage == 0 ? 1 : zero_sharers(s));
}

bool sums_beside_backward(const Strategy& s) {
  return s.gradient_aggregation.overlap && (s.zero_stage <= 1 ? num_data_ranks(s) > 1 : has_all_reduces(s));
}

bool gathers_beside_forward(const Scenario& scenario, const Strategy& s) {
  return s.gradient_aggregation.overlap && s.zero_stage == 1 && zero_sharers(s) > 1 &&
         scenario.software.parameter_gather_overlap.value;
}

std::int64_t gradient_width(const SoftwareProfile& software, Precision precision) {
  const bool is_fp16 = precision == Precision::kFp16 && software.fp16_gradient_bytes.has_value();
  const std::int64_t width = is_fp16 ? software.fp16_gradient_bytes->value : software.gradient_bytes.value;
  return width == 0 ? compute_bytes(precision) : width;
}

std::int64_t update_copy_width(const SoftwareProfile& software, const Strategy& strategy) {
  const bool on_device = !offloads_optimizer(strategy.offload);
  return strategy.precision == Precision::kFp16 && on_device ? software.fp16_update_copy_bytes.value : 0;
}

std::int64_t reduction_width(const SoftwareProfile& software, Precision precision) {
  const std::int64_t width = software.reduce_bytes.value;
  return width == 0 ? compute_bytes(precision) : width;
}

namespace {

/// Over several ranks, and on their devices.
bool divides_states_alone(const Strategy& s) {
  return s.zero_stage == 1 && zero_sharers(s) > 1 && !offloads_optimizer(s.offload);
}

}  // namespace

Bytes reduce_buffer(const SoftwareProfile& software, const Strategy& s) {
  const bool reduces = divides_states_alone(s) && s.precision == Precision::kFp16 &&
                       s.gradient_aggregation.compression.is_none();
  return reduces && !sums_beside_backward(s) ? software.fp16_reduce_buffer.value : Bytes(0);
}

Bytes gather_buffer(const Scenario& scenario, const Strategy& s) {
  const bool gathers = divides_states_alone(s) && !gathers_beside_forward(scenario, s);
  return gathers ? scenario.software.gather_buffer.value : Bytes(0);
}

BoundaryBytes boundary_bytes(const Scenario& scenario, const Strategy& s) {
  const std::int64_t shards = s.sequence_parallel ? s.tensor_parallel : 1;
  const Bytes held(s.microbatch_size * scenario.sequence_length / s.context_parallel *
                   scenario.model.hidden_size * compute_bytes(s.precision) / shards);
  const bool scatters = scenario.software.scatter_gather_pipeline.value && shards == 1;
  return {.held = held, .sent = scatters ? Bytes(held.value / s.tensor_parallel) : held};
}

BlockOptions block_options(const Scenario& scenario, const Strategy& strategy) {
  const SoftwareProfile& software = scenario.software;
  const std::int64_t element = compute_bytes(strategy.precision);
  const bool reduces_each_backward = divides_gradients(strategy);
  // Kernels of the second version have windows; in a ring of ranks nobody's do.
  const bool has_windows = software.flash_attention.value && software.flash_skips_masked.value &&
                           software.flash_version.value >= 2 && strategy.context_parallel == 1;
  const std::int64_t window = scenario.model.sliding_window.value_or(scenario.sequence_length);
  return {.microbatch_size = strategy.microbatch_size,
          .sequence_length = scenario.sequence_length,
          .tensor_parallel = strategy.tensor_parallel,
          .expert_parallel = strategy.expert_parallel,
          .context_parallel = strategy.context_parallel,
          .sequence_parallel = strategy.sequence_parallel,
          .split_backward = splits_backward(strategy.schedule),
          .overlap_tensor = software.tensor_overlap.value,
          .vocab_padding = software.vocab_padding.value,
          .fp8_linear = strategy.precision == Precision::kFp8,
          .compute_bytes = element,
          .gradient_bytes = reduces_each_backward ? element : gradient_width(software, strategy.precision),
          .accumulate_gradients = !reduces_each_backward,
          .dropout = software.dropout.value,
          .logits_in_fp32 = software.logits_in_fp32.value,
          .fused_gradient_accumulation = software.fused_gradient_accumulation.value,
          .keep_narrow_gradients = software.narrow_gradients_kept.value,
          .fused_softmax = software.fused_softmax.value,
          .fused_norms = software.fused_norms.value,
          .fused_activation = software.fused_activation.value,
          .fused_dropout_add = software.fused_dropout_add.value,
          .fused_rotary = software.fused_rotary.value,
          .fused_residual_gradient = software.fused_residual_gradient.value,
          .fused_logits_conversion = software.fused_logits_conversion.value,
          .cross_entropy_passes = software.cross_entropy_passes.value,
          .logits_metrics = software.logits_metrics.value,
          .flash_attention = software.flash_attention.value,
          .flash_skips_masked = software.flash_skips_masked.value,
          .flash_window = has_windows && window < scenario.sequence_length ? window : 0};
}

}  // namespace portolan
