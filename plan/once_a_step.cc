// What a stage does once a step: zeroing gradients before the microbatches; synchronisation, update and
// gathers after them.
#include <algorithm>
#include <iterator>
#include <optional>

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

/// An op along `axes` over the gradients of `parameters`.
Op StageLowering::gradient_op(Parameters parameters, AxisSet axes, LaneIndex lane) const {
  Op op;
  op.kind = OpKind::kCollective;
  op.phase = Phase::kGradientSync;
  op.lane = lane_of(lane);
  op.axes = axes;
  for (const StageParameter& parameter : parameters) {
    op.buffers.push_back(parameter.gradient);
    op.bytes += stage_.buffers[static_cast<std::size_t>(parameter.gradient)].bytes;
  }
  return op;
}

std::vector<Op> StageLowering::data_sums(Parameters parameters) const {
  std::vector<Op> sums;
  for (const bool expert : {false, true}) {
    std::vector<StageParameter> chosen;
    std::copy_if(parameters.begin(), parameters.end(), std::back_inserter(chosen),
                 [&](const StageParameter& parameter) { return parameter.expert == expert; });
    if (!chosen.empty()) {
      add_data_sums(chosen, expert, sums);
    }
  }
  return sums;
}

void StageLowering::add_data_sums(Parameters parameters, bool expert, std::vector<Op>& sums) const {
  const Strategy& s = context_.strategy;
  const std::int32_t ranks = expert ? num_expert_data_ranks(s) : num_data_ranks(s);
  const std::int32_t sharers = s.zero_stage == 0 ? ranks : expert ? expert_sharers(s) : zero_sharers(s);
  const AxisSet axes = expert ? kExpertDataAxes : kDataAxes;
  if (sharers > 1 && s.zero_stage <= 1) {
    Op op = gradient_op(parameters, axes, LaneIndex::kData);
    op.collective = s.zero_stage == 0 ? CollectiveKind::kAllReduce : CollectiveKind::kReduceScatter;
    op.algorithm = s.gradient_aggregation.algorithm;
    if (sharers < ranks) {
      op.group = GroupKind::kBlock;
      op.group_size = sharers;
    }
    sums.push_back(std::move(op));
  }
  if (sharers < ranks) {
    // Each rank has its shard of its own group's sum: the same shards of all groups add up.
    // As wide as they are reduced within the groups, where that is done in every backward.
    const Sharding sharding = context_.sharding();
    Op op = gradient_op(parameters, axes, sharding.gradients ? LaneIndex::kDataAcross : LaneIndex::kData);
    op.algorithm = s.gradient_aggregation.algorithm;
    op.group = GroupKind::kStride;
    op.group_size = sharers;
    op.bytes = sharding.gradients ? Bytes(op.bytes.value / sharding.gradient_bytes * sharding.reduce_bytes)
                                  : Bytes(op.bytes.value / sharers);
    sums.push_back(std::move(op));
  }
}

std::optional<Op> StageLowering::tensor_sum() const {
  std::vector<StageParameter> partial;
  std::copy_if(parameters_.begin(), parameters_.end(), std::back_inserter(partial),
               [](const StageParameter& p) { return p.partial_gradient; });
  return partial.empty() ? std::nullopt
                         : std::optional(gradient_op(partial, {Axis::kTensor}, LaneIndex::kTensor));
}

std::optional<Op> StageLowering::sum_of_ends() const {
  if (!context_.scenario.model.tied_embeddings || context_.num_stages() == 1 || !(first() || last())) {
    return std::nullopt;
  }
  std::vector<StageParameter> tied;
  std::copy_if(parameters_.begin(), parameters_.end(), std::back_inserter(tied),
               [](const StageParameter& p) { return p.tied; });
  Op op = gradient_op(tied, {Axis::kPipeline}, LaneIndex::kEndStages);
  op.group = GroupKind::kFirstAndLastStage;
  return op;
}

/// What is left to sum when the last pass is over, one after another.
std::vector<Op> StageLowering::gradient_sums() const {
  std::vector<Op> sums;
  if (std::optional<Op> op = tensor_sum()) {
    sums.push_back(*std::move(op));
  }
  if (!sums_beside_backward(context_.strategy)) {
    for (Op& op : data_sums(parameters_)) {
      sums.push_back(std::move(op));
    }
  }
  if (std::optional<Op> op = sum_of_ends()) {
    sums.push_back(*std::move(op));
  }
  return sums;
}

void StageLowering::add_communication_buffer(Op& op, const char* name, Bytes bytes) {
  if (bytes > Bytes(0)) {
    op.buffers.push_back(add_buffer(
        stage_, {.name = name, .kind = BufferKind::kCommunication, .bytes = bytes, .first = {}, .last = {}}));
  }
}

void StageLowering::gradient_sync() {
  if (!context_.strategy.gradient_aggregation.compression.is_none()) {
    return compressed_gradient_sync();
  }
  std::vector<Op> sums = gradient_sums();
  if (sums.empty()) {
    return;
  }
  TemplateAssembler assembler(stage_, "gradient_sync");
  closing_templates_.push_back(assembler.template_index());
  add_communication_buffer(sums.front(), "reduce buffer",
                           reduce_buffer(context_.scenario.software, context_.strategy));
  for (std::size_t i = 0; i < sums.size(); ++i) {
    // What the last pass reduced may still be under way.
    sums[i].predecessors.push_back({Predecessor::Kind::kLastCompute, 0, 1});
    if (context_.sharding().gradients || sums_beside_backward(context_.strategy)) {
      sums[i].predecessors.push_back({Predecessor::Kind::kAllOps, 0, 1});
    }
    if (i > 0) {
      sums[i].predecessors.push_back({Predecessor::Kind::kOp, static_cast<std::int32_t>(i) - 1, 0});
    }
    assembler.add_communication(std::move(sums[i]),
                                {.for_compute = false, .compute_waits = ComputeWaits::kNever});
  }
}

std::int64_t StageLowering::updating_ranks(const StageParameter& parameter) const {
  const Strategy& s = context_.strategy;
  return s.zero_stage == 0 ? 1 : parameter.expert ? expert_sharers(s) : zero_sharers(s);
}

std::int64_t StageLowering::updated_elements(const StageParameter& parameter) const {
  const std::int64_t shards = updating_ranks(parameter);
  return (parameter.elements + shards - 1) / shards;
}

std::int32_t StageLowering::copy_gradient(TemplateAssembler& assembler, const StageParameter& parameter) {
  const std::int64_t width = update_copy_width(context_.scenario.software, context_.strategy);
  const std::int64_t elements = updated_elements(parameter);
  const std::string name = stage_.buffers[static_cast<std::size_t>(parameter.value)].name;
  const std::int32_t copy = add_buffer(stage_, {.name = name + ".gradient_copy",
                                                .kind = BufferKind::kWorkspace,
                                                .bytes = Bytes(elements * width),
                                                .first = {},
                                                .last = {}});
  const std::int64_t read = gradient_width(context_.scenario.software, context_.strategy.precision);
  assembler.add_kernel({Phase::kOptimizer, Op::kNoLayer},
                       {.kind = KernelKind::kGradientConvert,
                        .shape = {.rows = elements, .columns = 1},
                        .flops = Flops(static_cast<double>(elements)),
                        .bytes = Bytes(elements * (read + width)),
                        .operands = {{copy, Access::kWrite}, {parameter.gradient, Access::kRead}}});
  return copy;
}

Kernel StageLowering::update_of(const StageParameter& parameter, std::int32_t gradient_copy) {
  const std::int64_t state_bytes = context_.scenario.software.optimizer_bytes_per_parameter.value;
  const Strategy& s = context_.strategy;
  const Sharding sharding = context_.sharding();
  const Buffer value = stage_.buffers[static_cast<std::size_t>(parameter.value)];
  const bool copied = gradient_copy != Buffer::kNone;
  const Bytes gradient = stage_.buffers[static_cast<std::size_t>(parameter.gradient)].bytes;
  const std::int64_t shards = updating_ranks(parameter);
  const std::int64_t elements = updated_elements(parameter);
  Kernel update{.kind = KernelKind::kAdamW,
                .shape = {.rows = elements},
                .flops = Flops(14.0 * static_cast<double>(elements)),
                .bytes = {},
                .operands = {{parameter.value, Access::kUpdate},
                             {copied ? gradient_copy : parameter.gradient, Access::kRead}}};
  const auto add_state = [&](const char* name, std::int64_t bytes) {
    const std::int32_t state = add_buffer(stage_, {.name = value.name + name,
                                                   .kind = BufferKind::kOptimizerState,
                                                   .bytes = Bytes(elements * bytes),
                                                   .persistent = true,
                                                   .on_host = offloads_optimizer(s.offload),
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
  update.bytes =
      Bytes(2 * value.bytes.value / (sharding.parameters ? 1 : shards) +
            (copied ? elements * kUpdateReads : gradient.value / (sharding.gradients ? 1 : shards)) +
            2 * elements * state_bytes);
  return update;
}

void StageLowering::optimizer() {
  TemplateAssembler assembler(stage_, "optimizer");
  assembler.next_compute_waits_for({Predecessor::Kind::kAllOps, 0, 1});
  if (offloads_optimizer(context_.strategy.offload)) {
    streamed_optimizer(assembler);
  } else {
    // All are copied before any is used.
    std::vector<std::int32_t> copies(parameters_.size(), Buffer::kNone);
    if (update_copy_width(context_.scenario.software, context_.strategy) > 0) {
      for (std::size_t i = 0; i < parameters_.size(); ++i) {
        copies[i] = copy_gradient(assembler, parameters_[i]);
      }
    }
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      assembler.add_kernel({Phase::kOptimizer, Op::kNoLayer}, update_of(parameters_[i], copies[i]));
    }
  }
  closing_templates_.push_back(assembler.template_index());
}

std::vector<Op> StageLowering::parameter_gather_ops(Parameters parameters) const {
  std::vector<Op> gathers;
  for (const bool expert : {false, true}) {
    Op op = zero_op(Phase::kParameterGather, LaneIndex::kData, expert);
    op.collective = CollectiveKind::kAllGather;
    for (const StageParameter& parameter : parameters) {
      if (parameter.expert == expert) {
        op.buffers.push_back(parameter.value);
        op.bytes += stage_.buffers[static_cast<std::size_t>(parameter.value)].bytes;
      }
    }
    if (!op.buffers.empty() && (!expert || expert_sharers(context_.strategy) > 1)) {
      gathers.push_back(std::move(op));
    }
  }
  return gathers;
}

void StageLowering::parameter_gather() {
  if (context_.strategy.zero_stage == 0 || zero_sharers(context_.strategy) == 1 ||
      context_.sharding().parameters || gathers_beside_forward(context_.scenario, context_.strategy)) {
    return;
  }
  TemplateAssembler assembler(stage_, "parameter_gather");
  closing_templates_.push_back(assembler.template_index());
  std::vector<Op> gathers = parameter_gather_ops(parameters_);
  if (!gathers.empty()) {
    add_communication_buffer(gathers.front(), "gather buffer",
                             gather_buffer(context_.scenario, context_.strategy));
  }
  for (Op& op : gathers) {
    op.predecessors.push_back({Predecessor::Kind::kLastCompute, 0, 1});
    assembler.add_communication(std::move(op), {.for_compute = false, .compute_waits = ComputeWaits::kNever});
  }
}

}  // namespace portolan
