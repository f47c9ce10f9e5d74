// Sums of gradients that are made smaller first (plan/compressed_sum.h), after the passes.
#include <algorithm>
#include <iterator>

#include "plan/stage_lowering.h"

namespace portolan {

namespace {

GradientMatrix matrix_of(const StageParameter& parameter) {
  return {.rows = parameter.rows, .columns = parameter.elements / parameter.rows, .expert = parameter.expert};
}

}  // namespace

void StageLowering::compressed_gradient_sync() {
  TemplateAssembler assembler(stage_, "gradient_sync");
  closing_templates_.push_back(assembler.template_index());
  if (std::optional<Op> op = tensor_sum()) {
    op->predecessors.push_back({Predecessor::Kind::kLastCompute, 0, 1});
    assembler.add_communication(*std::move(op), {.for_compute = false});
  }
  add_compressed_sum(assembler, false);
  const bool has_experts = std::any_of(parameters_.begin(), parameters_.end(),
                                       [](const StageParameter& parameter) { return parameter.expert; });
  if (has_experts && num_expert_data_ranks(context_.strategy) > 1) {
    add_compressed_sum(assembler, true);
  }
  if (std::optional<Op> op = sum_of_ends()) {
    assembler.add_communication(*std::move(op), {.for_compute = true, .compute_waits = ComputeWaits::kNever});
  }
}

/// Of each place of a SumBuffer: buffers of the stage, made here but for gradients.
StageLowering::SumBuffers StageLowering::sum_buffers(const CompressedSum& sum,
                                                     const std::vector<StageParameter>& parameters) {
  const Compression& compression = context_.strategy.gradient_aggregation.compression;
  SumBuffers buffers;
  const auto place = [&](SumBuffer buffer) -> std::vector<std::int32_t>& {
    return buffers[static_cast<std::size_t>(buffer)];
  };
  for (const StageParameter& parameter : parameters) {
    const bool factored = matrix_of(parameter).is_factored(compression.rank);
    place(SumBuffer::kGradients).push_back(parameter.gradient);
    if (!factored) {
      place(SumBuffer::kVectors).push_back(parameter.gradient);
    }
    if (compression.kind == CompressionKind::kTopK || factored) {
      const std::string name = stage_.buffers[static_cast<std::size_t>(parameter.value)].name;
      place(SumBuffer::kResiduals)
          .push_back(add_buffer(stage_, {.name = name + ".residual",
                                         .kind = BufferKind::kGradient,
                                         .bytes = Bytes(parameter.elements * 4),
                                         .persistent = true,
                                         .first = {},
                                         .last = {},
                                         .init = ParameterInit::kZeros,
                                         .partner = parameter.value}));
    }
  }
  const auto add = [&](SumBuffer buffer, const char* name, BufferKind kind) {
    if (sum.of(buffer) > Bytes(0)) {
      const bool persistent = kind == BufferKind::kGradient;
      place(buffer).push_back(
          add_buffer(stage_, {.name = (sum.expert ? "expert " : "") + std::string(name),
                              .kind = kind,
                              .bytes = sum.of(buffer),
                              .persistent = persistent,
                              .first = {},
                              .last = {},
                              .init = persistent ? ParameterInit::kNormal : ParameterInit::kNone,
                              .init_std = persistent ? 1.0 : 0.0,
                              .partner = persistent ? parameters.front().value : Buffer::kNone}));
    }
  };
  add(SumBuffer::kScale, "gradient scale", BufferKind::kCommunication);
  add(SumBuffer::kPacked, "packed gradients", BufferKind::kCommunication);
  add(SumBuffer::kReceived, "received gradients", BufferKind::kCommunication);
  add(SumBuffer::kLeft, "left factors", BufferKind::kCommunication);
  add(SumBuffer::kRight, "right factors", BufferKind::kGradient);
  return buffers;
}

/// Each step waits for those before it.
void StageLowering::add_compressed_sum(TemplateAssembler& assembler, bool expert) {
  const Compression& compression = context_.strategy.gradient_aggregation.compression;
  std::vector<StageParameter> parameters;
  std::copy_if(parameters_.begin(), parameters_.end(), std::back_inserter(parameters),
               [&](const StageParameter& parameter) { return parameter.expert == expert; });
  GradientSum gradients = gradient_sum(context_.scenario, context_.strategy, expert);
  std::vector<std::int32_t> factored;  // gradients that are, as the sum's matrices
  for (const StageParameter& parameter : parameters) {
    gradients.elements += parameter.elements;
    if (const GradientMatrix matrix = matrix_of(parameter); matrix.is_factored(compression.rank)) {
      gradients.matrices.push_back(matrix);
      factored.push_back(parameter.gradient);
    }
  }
  CompressedSum sum = compressed_sum(compression, gradients);
  sum.expert = expert;
  const SumBuffers buffers = sum_buffers(sum, parameters);
  const auto of = [&](SumBuffer buffer, const std::optional<std::size_t>& matrix) {
    const std::vector<std::int32_t>& all = buffers[static_cast<std::size_t>(buffer)];
    if (matrix && buffer == SumBuffer::kGradients) {
      return std::vector{factored[*matrix]};
    }
    return matrix && buffer == SumBuffer::kResiduals ? std::vector{all[*matrix]} : all;
  };
  for (const SumStep& step : sum.steps) {
    if (const auto* computed = std::get_if<SumKernel>(&step)) {
      Kernel kernel = computed->kernel;
      kernel.operands.clear();
      for (const Operand& operand : computed->kernel.operands) {
        for (const std::int32_t buffer : of(static_cast<SumBuffer>(operand.tensor), computed->matrix)) {
          kernel.operands.push_back({buffer, operand.access});
        }
      }
      assembler.add_kernel({Phase::kGradientSync, Op::kNoLayer}, std::move(kernel));
      continue;
    }
    const auto& sent = std::get<SumCollective>(step);
    Op op;
    op.kind = OpKind::kCollective;
    op.phase = Phase::kGradientSync;
    op.lane = lane_of(LaneIndex::kData);
    op.axes = expert ? kExpertDataAxes : kDataAxes;
    op.collective = sent.kind;
    op.group = sent.group;
    op.group_size = sent.group_size;
    op.algorithm = sent.group == GroupKind::kAxes ? context_.strategy.gradient_aggregation.algorithm
                                                  : CollectiveAlgorithm::kRing;
    op.bytes = sent.bytes;
    for (const SumBuffer buffer : sent.buffers) {
      const std::vector<std::int32_t> held = of(buffer, std::nullopt);
      op.buffers.insert(op.buffers.end(), held.begin(), held.end());
    }
    assembler.add_communication(std::move(op), {.for_compute = true});
  }
}

}  // namespace portolan
