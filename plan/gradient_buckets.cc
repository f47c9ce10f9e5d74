// Communication of parameters and gradients beside the passes: buckets of gradients are summed while the last
// microbatch runs backward, and what ZeRO stage 1 divides is gathered while the first runs forward (Li et al.
// 2020, arXiv 2006.15704, section 3.2.3; Megatron-LM, --overlap-grad-reduce and --overlap-param-gather).
#include "plan/stage_lowering.h"

namespace portolan {

StageLowering::Parameters StageLowering::parameters_of(const Chunk& chunk, std::size_t first_block,
                                                       std::size_t end_block) const {
  const std::size_t first = chunk.first_parameter[first_block];
  return Parameters(parameters_).subspan(first, chunk.first_parameter[end_block] - first);
}

bool StageLowering::fills_bucket(const Chunk& chunk, std::size_t first_block, std::size_t end_block) const {
  if (!sums_beside_backward(context_.strategy) || first_block == end_block) {
    return false;
  }
  Bytes held;
  for (const StageParameter& parameter : parameters_of(chunk, first_block, end_block)) {
    held += stage_.buffers[static_cast<std::size_t>(parameter.gradient)].bytes;
  }
  const Bytes bucket = context_.strategy.gradient_aggregation.bucket;
  // Without a size all gradients of the chunk are one bucket; the last one takes what is left.
  return first_block == 0 || (bucket.value > 0 && held >= bucket);
}

void StageLowering::sum_bucket(TemplateAssembler& assembler, Parameters parameters) const {
  for (Op& op : data_sums(parameters)) {
    op.occurrence = Occurrence::kLast;
    assembler.add_communication(
        std::move(op), {.for_compute = false, .after_compute = true, .compute_waits = ComputeWaits::kNever});
  }
}

void StageLowering::gather_buckets(TemplateAssembler& assembler, const Chunk& chunk) const {
  std::size_t begin = 0;
  for (std::size_t end = 1; end <= chunk.blocks.size(); ++end) {
    Bytes held;
    for (const StageParameter& parameter : parameters_of(chunk, begin, end)) {
      held += stage_.buffers[static_cast<std::size_t>(parameter.gradient)].bytes;
    }
    const Bytes bucket = context_.strategy.gradient_aggregation.bucket;
    if (end == chunk.blocks.size() || (bucket.value > 0 && held >= bucket)) {
      for (Op& op : parameter_gather_ops(parameters_of(chunk, begin, end))) {
        op.lane = lane_of(LaneIndex::kDataGather);
        op.occurrence = Occurrence::kFirst;
        assembler.add_communication(std::move(op),
                                    {.for_compute = false, .compute_waits = ComputeWaits::kAtUse});
      }
      begin = end;
    }
  }
}

}  // namespace portolan
