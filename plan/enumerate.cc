#include <algorithm>

#include "plan/search.h"

namespace portolan {

namespace {

template <typename T>
std::vector<T> either(const std::optional<T>& fixed, std::vector<T> otherwise) {
  return fixed ? std::vector<T>{*fixed} : std::move(otherwise);
}

std::vector<std::int32_t> divisors(std::int64_t n) {
  std::vector<std::int32_t> list;
  for (std::int64_t i = 1; i <= n; ++i) {
    if (n % i == 0) {
      list.push_back(static_cast<std::int32_t>(i));
    }
  }
  return list;
}

std::vector<std::int64_t> microbatch_sizes(std::int64_t global_batch) {
  std::vector<std::int64_t> list;
  for (std::int64_t size = 1; size <= std::min<std::int64_t>(global_batch, 64); size *= 2) {
    list.push_back(size);
  }
  return list;
}

using AxisOrder = std::array<Axis, kNumAxes>;

std::vector<AxisOrder> axis_orders() {
  return {{Axis::kTensor, Axis::kContext, Axis::kExpert, Axis::kData, Axis::kPipeline},
          {Axis::kTensor, Axis::kContext, Axis::kExpert, Axis::kPipeline, Axis::kData}};
}

Recompute recompute_all(const RecomputeSet& set) { return {.all_layers = set, .per_layer = {}}; }

/// Fields that no loop below runs over.
Strategy base_strategy(const Scenario& scenario, const StrategyConstraints& c) {
  Strategy s;
  s.context_parallel = c.context_parallel.value_or(1);
  s.expert_parallel = c.expert_parallel.value_or(1);
  s.virtual_stages = c.virtual_stages.value_or(1);
  s.sequence_parallel = c.sequence_parallel.value_or(false);
  s.zero_group = c.zero_group.value_or(0);
  s.gradient_aggregation.algorithm = c.aggregation.value_or(CollectiveAlgorithm::kRing);
  s.gradient_aggregation.bucket = c.bucket.value_or(Bytes(0));
  s.gradient_aggregation.compression = c.compression.value_or("none");
  s.precision = c.precision.value_or(scenario.precision);
  s.offload = c.offload.value_or("none");
  s.layers_per_stage = c.layers_per_stage.value_or(std::vector<std::int32_t>{});
  return s;
}

}  // namespace

std::vector<Strategy> enumerate_strategies(const Scenario& scenario, const StrategyConstraints& c) {
  std::vector<Strategy> list;
  const std::vector<std::int32_t> degrees = divisors(scenario.num_gpus);
  const auto schedules = either(c.schedule, {ScheduleKind::kOneFOneB, ScheduleKind::kGPipe});
  const auto recomputes =
      either(c.recompute, {recompute_all(recompute_none()), recompute_all(recompute_selective()),
                           recompute_all(recompute_full())});
  const auto orders = either(c.axis_order, axis_orders());
  Strategy s = base_strategy(scenario, c);
  for (std::int32_t tp : either(c.tensor_parallel, degrees)) {
    for (std::int32_t pp : either(c.pipeline_parallel, degrees)) {
      const std::int64_t product = std::int64_t{tp} * pp;
      const bool whole = product > 0 && scenario.num_gpus % product == 0;
      // A degree that was asked for and cannot be stays in once, so that there is a verdict on it.
      const bool tp_asked =
          c.tensor_parallel && scenario.num_gpus % std::max(tp, 1) != 0 && (pp == 1 || c.pipeline_parallel);
      const bool pp_asked =
          c.pipeline_parallel && scenario.num_gpus % std::max(pp, 1) != 0 && (tp == 1 || c.tensor_parallel);
      if (!whole && !c.data_parallel && !tp_asked && !pp_asked &&
          !(c.tensor_parallel && c.pipeline_parallel)) {
        continue;  // no data-parallel degree makes these up
      }
      const auto quotient = static_cast<std::int32_t>(whole ? scenario.num_gpus / product : 1);
      s.tensor_parallel = tp;
      s.pipeline_parallel = pp;
      s.data_parallel = c.data_parallel.value_or(quotient);
      for (std::int64_t microbatch : either(c.microbatch_size, microbatch_sizes(scenario.global_batch))) {
        s.microbatch_size = microbatch;
        for (const Recompute& recompute : recomputes) {
          s.recompute = recompute;
          for (std::int32_t zero :
               either<std::int32_t>(c.zero_stage, s.data_parallel > 1 ? std::vector<std::int32_t>{0, 1}
                                                                      : std::vector<std::int32_t>{0})) {
            s.zero_stage = zero;
            for (ScheduleKind schedule :
                 pp > 1 || c.schedule ? schedules : std::vector{ScheduleKind::kOneFOneB}) {
              s.schedule = schedule;
              for (const AxisOrder& order : (pp > 1 && s.data_parallel > 1) || c.axis_order
                                                ? orders
                                                : std::vector{axis_orders().front()}) {
                s.axis_order = order;
                list.push_back(s);
              }
            }
          }
        }
      }
    }
  }
  return list;
}

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
  take(merged.compression, over.compression);
  take(merged.precision, over.precision);
  take(merged.offload, over.offload);
  take(merged.layers_per_stage, over.layers_per_stage);
  take(merged.axis_order, over.axis_order);
  return merged;
}

}  // namespace portolan
