// What a stage does once a step: zeroing gradients before the microbatches; synchronisation, update and
// gathers after them.
#include <algorithm>

#include "plan/stage_lowering.h"

namespace portolan {

void StageLowering::zero_gradients() {
  TemplateAssembler assembler(stage_, "zero_gradients");
  zero_template_ = assembler.template_index();
  const auto zero = [&](std::int32_t buffer) {
    const Bytes bytes = stage_.buffers[static_cast<std::size_t>(buffer)].bytes;
    assembler.add_kernel({Phase::kOptimizer, Op::kNoLayer}, {.kind = KernelKind::kFillZero,
                                                             .shape = {.rows = bytes.value},
                                                             .flops = {},
                                                             .bytes = bytes,
                                                             .operands = {{buffer, Access::kWrite}}});
  };
  for (const StageParameter& parameter : parameters_) {
    zero(parameter.gradient);
  }
  if (last()) {
    zero(loss_);
  }
}

void StageLowering::gradient_sync() {
  const bool data = context_.strategy.data_parallel > 1;
  const bool tied =
      context_.scenario.model.tied_embeddings && context_.num_stages() > 1 && (first() || last());
  const bool partial = std::any_of(parameters_.begin(), parameters_.end(),
                                   [](const StageParameter& p) { return p.partial_gradient; });
  if (!data && !tied && !partial) {
    return;
  }
  TemplateAssembler assembler(stage_, "gradient_sync");
  closing_templates_.push_back(assembler.template_index());
  Op op;
  op.kind = OpKind::kCollective;
  op.phase = Phase::kGradientSync;
  op.predecessors.push_back({Predecessor::Kind::kLastCompute, 0, 1});
  if (partial) {
    Op sync = op;
    sync.lane = lane_of(LaneIndex::kTensor);
    sync.axis = Axis::kTensor;
    for (const StageParameter& parameter : parameters_) {
      if (parameter.partial_gradient) {
        sync.buffers.push_back(parameter.gradient);
        sync.bytes += stage_.buffers[static_cast<std::size_t>(parameter.gradient)].bytes;
      }
    }
    op.predecessors.push_back({Predecessor::Kind::kOp, 0, 0});
    assembler.add_communication(std::move(sync),
                                {.for_compute = false, .compute_waits = ComputeWaits::kNever});
  }
  if (data) {
    Op sync = op;
    sync.lane = lane_of(LaneIndex::kData);
    sync.axis = Axis::kData;
    sync.collective =
        context_.strategy.zero_stage == 0 ? CollectiveKind::kAllReduce : CollectiveKind::kReduceScatter;
    for (const StageParameter& parameter : parameters_) {
      sync.buffers.push_back(parameter.gradient);
      sync.bytes += stage_.buffers[static_cast<std::size_t>(parameter.gradient)].bytes;
    }
    assembler.add_communication(std::move(sync),
                                {.for_compute = false, .compute_waits = ComputeWaits::kNever});
  }
  if (tied) {
    Op sync = op;
    sync.lane = lane_of(LaneIndex::kEndStages);
    sync.group = GroupKind::kFirstAndLastStage;
    sync.axis = Axis::kPipeline;
    for (const StageParameter& parameter : parameters_) {
      if (parameter.tied) {
        sync.buffers.push_back(parameter.gradient);
        sync.bytes += stage_.buffers[static_cast<std::size_t>(parameter.gradient)].bytes;
      }
    }
    if (data) {
      sync.predecessors.push_back({Predecessor::Kind::kOp, partial ? 1 : 0, 0});
    }
    assembler.add_communication(std::move(sync),
                                {.for_compute = false, .compute_waits = ComputeWaits::kNever});
  }
}

void StageLowering::optimizer() {
  TemplateAssembler assembler(stage_, "optimizer");
  const std::int64_t state_bytes = context_.scenario.software.optimizer_bytes_per_parameter.value;
  const std::int64_t shards = context_.strategy.zero_stage >= 1 ? context_.strategy.data_parallel : 1;
  assembler.next_compute_waits_for({Predecessor::Kind::kAllOps, 0, 1});
  for (const StageParameter& parameter : parameters_) {
    const Buffer value = stage_.buffers[static_cast<std::size_t>(parameter.value)];
    const Bytes gradient = stage_.buffers[static_cast<std::size_t>(parameter.gradient)].bytes;
    const std::int64_t elements = (parameter.elements + shards - 1) / shards;
    Kernel update{.kind = KernelKind::kAdamW,
                  .shape = {.rows = elements},
                  .flops = Flops(14.0 * static_cast<double>(elements)),
                  .bytes = {},
                  .operands = {{parameter.value, Access::kUpdate}, {parameter.gradient, Access::kRead}}};
    const auto add_state = [&](const char* name, std::int64_t bytes) {
      const std::int32_t state = add_buffer(stage_, {.name = value.name + name,
                                                     .kind = BufferKind::kOptimizerState,
                                                     .bytes = Bytes(elements * bytes),
                                                     .persistent = true,
                                                     .first = {},
                                                     .last = {},
                                                     .init = ParameterInit::kZeros,
                                                     .partner = parameter.value});
      update.operands.push_back({state, Access::kUpdate});
    };
    add_state(".moment1", 4);
    add_state(".moment2", 4);
    if (state_bytes > 8) {
      add_state(".master", state_bytes - 8);
    }
    // Each shard reads its gradients and rewrites states and parameters.
    update.bytes = Bytes((2 * value.bytes.value + gradient.value) / shards + 2 * elements * state_bytes);
    assembler.add_kernel({Phase::kOptimizer, Op::kNoLayer}, std::move(update));
  }
  closing_templates_.push_back(assembler.template_index());
}

void StageLowering::parameter_gather() {
  if (context_.strategy.zero_stage == 0 || context_.strategy.data_parallel == 1) {
    return;
  }
  TemplateAssembler assembler(stage_, "parameter_gather");
  closing_templates_.push_back(assembler.template_index());
  Op op;
  op.kind = OpKind::kCollective;
  op.lane = lane_of(LaneIndex::kData);
  op.phase = Phase::kParameterGather;
  op.collective = CollectiveKind::kAllGather;
  op.axis = Axis::kData;
  for (const StageParameter& parameter : parameters_) {
    op.buffers.push_back(parameter.value);
    op.bytes += stage_.buffers[static_cast<std::size_t>(parameter.value)].bytes;
  }
  op.predecessors.push_back({Predecessor::Kind::kLastCompute, 0, 1});
  assembler.add_communication(std::move(op), {.for_compute = false, .compute_waits = ComputeWaits::kNever});
}

}  // namespace portolan
