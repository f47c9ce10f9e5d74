#include "plan/strategy_constraints.h"

namespace portolan {

StrategyConstraints merge_constraints(const StrategyConstraints& under, const StrategyConstraints& over) {
  StrategyConstraints merged = under;
  const auto take = [](auto& into, const auto& from) {
    if (from) {
      into = from;
    }
  };
  take(merged.tensor_parallel, over.tensor_parallel);
  take(merged.pipeline_parallel, over.pipeline_parallel);
  take(merged.data_parallel, over.data_parallel);
  take(merged.context_parallel, over.context_parallel);
  take(merged.expert_parallel, over.expert_parallel);
  take(merged.virtual_stages, over.virtual_stages);
  take(merged.sequence_parallel, over.sequence_parallel);
  take(merged.microbatch_size, over.microbatch_size);
  take(merged.schedule, over.schedule);
  take(merged.zero_stage, over.zero_stage);
  take(merged.zero_group, over.zero_group);
  take(merged.recompute, over.recompute);
  take(merged.aggregation, over.aggregation);
  take(merged.bucket, over.bucket);
  take(merged.overlap, over.overlap);
  take(merged.compression, over.compression);
  take(merged.precision, over.precision);
  take(merged.offload, over.offload);
  take(merged.layers_per_stage, over.layers_per_stage);
  take(merged.axis_order, over.axis_order);
  return merged;
}

}  // namespace portolan
