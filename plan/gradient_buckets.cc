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

bool StageLowering::fill_bucket(Parameters parameters) const {
  Bytes held;
  for (const StageParameter& parameter : parameters) {
    held += stage_.buffers[static_cast<std::size_t>(parameter.gradient)].bytes;
  }
  const Bytes bucket = context_.strategy.gradient_aggregation.bucket;
  return bucket.value > 0 && held >= bucket;
}

void StageLowering::sum_full_bucket(TemplateAssembler& assembler, const Chunk& chunk, std::size_t done,
                                    std::size_t& unsummed) const {
  const Parameters parameters = parameters_of(chunk, done, unsummed);
  // The last one of the chunk takes what is left.
  if (!sums_beside_backward(context_.strategy) || (done > 0 && !fill_bucket(parameters))) {
    return;
  }
  unsummed = done;
  for (Op& op : data_sums(parameters)) {
    op.occurrence = Occurrence::kLast;
    assembler.add_communication(
        std::move(op), {.for_compute = false, .after_compute = true, .compute_waits = ComputeWaits::kNever});
  }
}

void StageLowering::gather_buckets(TemplateAssembler& assembler, const Chunk& chunk) const {
  std::size_t begin = 0;
  for (std::size_t end = 1; end <= chunk.blocks.size(); ++end) {
    const Parameters parameters = parameters_of(chunk, begin, end);
    if (end == chunk.blocks.size() || fill_bucket(parameters)) {
      for (Op& op : parameter_gather_ops(parameters)) {
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
