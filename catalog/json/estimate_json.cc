#include "catalog/json/estimate_json.h"

#include "catalog/json/strategy_json.h"

namespace portolan {

namespace {

JsonValue breakdown_json(const Breakdown& breakdown) {
  return JsonValue::object()
      .set("compute", breakdown.compute.value)
      .set("recompute", breakdown.recompute.value)
      .set("exposed_tensor", breakdown.exposed_tensor.value)
      .set("exposed_pipeline", breakdown.exposed_pipeline.value)
      .set("exposed_data", breakdown.exposed_data.value)
      .set("exposed_context", breakdown.exposed_context.value)
      .set("exposed_expert", breakdown.exposed_expert.value)
      .set("offload", breakdown.offload.value)
      .set("bubble", breakdown.bubble.value)
      .set("optimizer", breakdown.optimizer.value)
      .set("other", breakdown.other.value);
}

JsonValue interval_json(const std::optional<ErrorMargin>& margin, double predicted) {
  if (!margin) {
    return {};
  }
  const ValueInterval interval = margin->around(predicted);
  return JsonValue::array().append(interval.low).append(interval.high);
}

JsonValue memory_json(const StageMemory& memory, const std::optional<ErrorMargin>& margin) {
  return JsonValue::object()
      .set("allocated_bytes", memory.allocated.value)
      .set("reserved_bytes", memory.reserved.value)
      .set("interval_bytes", interval_json(margin, static_cast<double>(memory.reserved.value)))
      .set("parameter_bytes", memory.parameters.value)
      .set("gradient_bytes", memory.gradients.value)
      .set("optimizer_state_bytes", memory.optimizer_states.value)
      .set("activation_bytes", memory.activations.value)
      .set("workspace_bytes", memory.workspace.value)
      .set("communication_bytes", memory.communication.value)
      .set("host_bytes", memory.host.value);
}

JsonValue positive_or_null(double value) { return value > 0 ? JsonValue(value) : JsonValue(); }

}  // namespace

JsonValue to_json(const Estimate& estimate, const PredictionMargins& margins) {
  JsonValue stages = JsonValue::array();
  for (const StageMemory& memory : estimate.stage_memory) {
    stages.append(memory_json(memory, margins.memory));
  }
  return JsonValue::object()
      .set("strategy", to_json(estimate.strategy))
      .set("lossy", estimate.strategy.gradient_aggregation.compression.is_lossy())
      .set("step_time_s", estimate.step_time.value)
      .set("step_time_interval_s", interval_json(margins.step_time, estimate.step_time.value))
      .set("interval_basis", margins.step_time
                                 ? JsonValue(std::string(interval_basis_name(margins.step_time->basis)))
                                 : JsonValue())
      .set("breakdown_s", breakdown_json(estimate.breakdown))
      .set("stage_memory", std::move(stages))
      .set("peak_memory_bytes", estimate.peak_memory.value)
      .set("mfu_pct", estimate.mfu_pct)
      .set("hfu_pct", estimate.hfu_pct)
      .set("tokens_per_s", estimate.tokens_per_s)
      .set("energy_j", positive_or_null(estimate.energy.value))
      .set("cost", positive_or_null(estimate.cost))
      .set("program_hash", estimate.program_hash.empty() ? JsonValue() : JsonValue(estimate.program_hash));
}

}  // namespace portolan
