#include <algorithm>
#include <numeric>

#include "plan/legality.h"
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

/// Fields that nothing below runs over.
Strategy base_strategy(const Scenario& scenario, const StrategyConstraints& c) {
  Strategy s;
  s.context_parallel = c.context_parallel.value_or(1);
  s.zero_group = c.zero_group.value_or(0);
  s.gradient_aggregation.algorithm = c.aggregation.value_or(CollectiveAlgorithm::kRing);
  // Who asks for buckets wants them to overlap.
  s.gradient_aggregation.overlap =
      c.overlap.value_or(c.bucket ? c.bucket->value > 0 : scenario.software.gradient_overlap.value);
  s.gradient_aggregation.bucket =
      c.bucket.value_or(s.gradient_aggregation.overlap ? scenario.software.gradient_bucket.value : Bytes(0));
  s.gradient_aggregation.compression = c.compression.value_or("none");
  s.precision = c.precision.value_or(scenario.precision);
  s.offload = c.offload.value_or(Offload::kNone);
  s.layers_per_stage = c.layers_per_stage.value_or(std::vector<std::int32_t>{});
  return s;
}

/// The candidates so far. Each call multiplies them by the choices for one field, in the order of the
/// choices.
class Candidates {
 public:
  explicit Candidates(Strategy base) : list_{std::move(base)} {}

  /// `choices(strategy)`: a list of values for `field`.
  template <typename T, typename Choices>
  void vary(T Strategy::*field, const Choices& choices) {
    expand([&](const Strategy& s, std::vector<Strategy>& into) {
      for (const T& value : choices(s)) {
        into.push_back(s);
        into.back().*field = value;
      }
    });
  }
  /// `add(strategy, into)` appends what becomes of one candidate.
  template <typename Add>
  void expand(const Add& add) {
    std::vector<Strategy> next;
    for (const Strategy& s : list_) {
      add(s, next);
    }
    list_ = std::move(next);
  }
  std::vector<Strategy> take() { return std::move(list_); }

 private:
  std::vector<Strategy> list_;
};

/// Pipeline degrees that a list of layers leaves: as many stages as it has, or a divisor with virtual stages.
std::vector<std::int32_t> listed_degrees(const Scenario& scenario, const StrategyConstraints& c) {
  const auto stages = static_cast<std::int32_t>(c.layers_per_stage->size());
  std::vector<std::int32_t> degrees = divisors(stages);
  std::erase_if(degrees, [&](std::int32_t degree) {
    return degree < stages && (degree == 1 || scenario.num_gpus % degree != 0);
  });
  return degrees;
}

/// Degrees that make up the GPUs. One that was asked for and cannot be stays in once, so that there is a
/// verdict on it.
void vary_degrees(Candidates& candidates, const Scenario& scenario, const StrategyConstraints& c) {
  const std::vector<std::int32_t> degrees = divisors(scenario.num_gpus);
  const auto cannot_be = [&](std::int32_t degree) { return scenario.num_gpus % std::max(degree, 1) != 0; };
  const bool pipeline_asked = c.pipeline_parallel || c.layers_per_stage;
  candidates.vary(&Strategy::tensor_parallel,
                  [&](const Strategy&) { return either(c.tensor_parallel, degrees); });
  candidates.vary(&Strategy::pipeline_parallel, [&](const Strategy&) {
    return either(c.pipeline_parallel, c.layers_per_stage ? listed_degrees(scenario, c) : degrees);
  });
  candidates.expand([&](Strategy s, std::vector<Strategy>& into) {
    const std::int64_t product =
        std::int64_t{s.tensor_parallel} * s.pipeline_parallel * std::max(s.context_parallel, 1);
    const bool whole = product > 0 && scenario.num_gpus % product == 0;
    const bool tp_asked =
        c.tensor_parallel && cannot_be(s.tensor_parallel) && (s.pipeline_parallel == 1 || pipeline_asked);
    const bool pp_asked =
        pipeline_asked && cannot_be(s.pipeline_parallel) && (s.tensor_parallel == 1 || c.tensor_parallel);
    if (whole || c.data_parallel || tp_asked || pp_asked || (c.tensor_parallel && pipeline_asked)) {
      const auto quotient = static_cast<std::int32_t>(whole ? scenario.num_gpus / product : 1);
      s.data_parallel = c.data_parallel.value_or(quotient);
      into.push_back(std::move(s));
    }
  });
}

/// Ways to divide the experts over the ranks that share all else.
std::vector<std::int32_t> expert_degrees(const TransformerConfig& model, const Strategy& s) {
  if (!model.experts) {
    return {1};
  }
  std::vector<std::int32_t> list = divisors(model.experts->num_experts);
  std::erase_if(list, [&](std::int32_t degree) { return s.data_parallel % degree != 0; });
  return list;
}

/// Virtual stages of a stage into which its layers divide evenly, or those that a list of layers asks for.
std::vector<std::int32_t> virtual_stages_of(const Scenario& scenario, const Strategy& s) {
  std::vector<std::int32_t> list;
  if (!s.layers_per_stage.empty()) {
    const auto parts = static_cast<std::int32_t>(s.layers_per_stage.size());
    if (s.pipeline_parallel > 0 && parts % s.pipeline_parallel == 0 && parts > s.pipeline_parallel) {
      list.push_back(parts / s.pipeline_parallel);
    }
    return list;
  }
  if (s.pipeline_parallel > 0 && scenario.model.num_layers % s.pipeline_parallel == 0) {
    list = divisors(scenario.model.num_layers / s.pipeline_parallel);
    list.erase(list.begin());
  }
  return list;
}

/// Schedules that the software has, or the one that is asked for.
void vary_schedule(Candidates& candidates, const Scenario& scenario, const StrategyConstraints& c) {
  const SoftwareProfile& software = scenario.software;
  candidates.expand([&](Strategy s, std::vector<Strategy>& into) {
    const bool pipeline = s.pipeline_parallel > 1;
    const auto add = [&](ScheduleKind schedule, std::int32_t virtual_stages) {
      s.schedule = schedule;
      s.virtual_stages = virtual_stages;
      into.push_back(s);
    };
    const auto wanted = [&](ScheduleKind schedule, bool there) {
      return c.schedule ? *c.schedule == schedule : there;
    };
    const std::int32_t asked_chunks = c.virtual_stages.value_or(1);
    if (asked_chunks == 1 || c.schedule) {
      if (wanted(ScheduleKind::kOneFOneB, true)) {
        add(ScheduleKind::kOneFOneB, asked_chunks);
      }
      if (wanted(ScheduleKind::kGPipe, pipeline)) {
        add(ScheduleKind::kGPipe, asked_chunks);
      }
      if (wanted(ScheduleKind::kZeroBubbleH1, pipeline && software.zero_bubble_schedule.value)) {
        add(ScheduleKind::kZeroBubbleH1, asked_chunks);
      }
    }
    if (!wanted(ScheduleKind::kInterleaved,
                pipeline && (asked_chunks > 1 || software.interleaved_schedule.value)) ||
        (c.virtual_stages == 1 && !c.schedule)) {
      return;
    }
    std::vector<std::int32_t> chunks = either(c.virtual_stages, virtual_stages_of(scenario, s));
    if (chunks.empty() && c.schedule) {
      chunks.push_back(2);  // for a verdict on what was asked
    }
    for (const std::int32_t v : chunks) {
      add(ScheduleKind::kInterleaved, v);
    }
  });
}

}  // namespace

std::vector<Strategy> enumerate_strategies(const Scenario& scenario, const StrategyConstraints& c) {
  const SoftwareProfile& software = scenario.software;
  Candidates candidates(base_strategy(scenario, c));
  vary_degrees(candidates, scenario, c);
  candidates.vary(&Strategy::expert_parallel, [&](const Strategy& s) {
    return either(c.expert_parallel, expert_degrees(scenario.model, s));
  });
  candidates.vary(&Strategy::microbatch_size, [&](const Strategy&) {
    return either(c.microbatch_size, microbatch_sizes(scenario.global_batch));
  });
  candidates.vary(&Strategy::sequence_parallel, [&](const Strategy& s) {
    return either(c.sequence_parallel, s.tensor_parallel > 1 && software.sequence_parallel.value
                                           ? std::vector<bool>{true, false}
                                           : std::vector<bool>{false});
  });
  candidates.vary(&Strategy::recompute, [&](const Strategy&) {
    if (c.recompute) {
      return std::vector{recompute_of(*c.recompute, {})};
    }
    return std::vector{recompute_all(recompute_none()), recompute_all(recompute_selective()),
                       recompute_all(recompute_full())};
  });
  candidates.vary(&Strategy::zero_stage, [&](Strategy s) {
    s.zero_stage = 1;
    const bool has_algorithm =
        s.gradient_aggregation.algorithm != CollectiveAlgorithm::kTree || has_all_reduces(s);
    std::vector<std::int32_t> stages(
        s.data_parallel > 1 && has_algorithm ? static_cast<std::size_t>(software.zero_stages.value) + 1 : 1);
    std::iota(stages.begin(), stages.end(), 0);
    return either(c.zero_stage, stages);
  });
  // Where the software sums gradients beside backward, it does so where there is something to sum then.
  candidates.expand([&](Strategy s, std::vector<Strategy>& into) {
    if (!c.overlap && !c.bucket && !sums_beside_backward(s)) {
      s.gradient_aggregation.overlap = false;
      s.gradient_aggregation.bucket = Bytes(0);
    }
    into.push_back(std::move(s));
  });
  vary_schedule(candidates, scenario, c);
  candidates.vary(&Strategy::axis_order, [&](const Strategy& s) {
    const bool matters = s.pipeline_parallel > 1 && s.data_parallel > 1;
    return either(c.axis_order, matters ? axis_orders() : std::vector{axis_orders().front()});
  });
  std::vector<Strategy> list = candidates.take();
  if (c.recompute && std::holds_alternative<RecomputeBlock>(*c.recompute)) {
    for (Strategy& s : list) {
      if (!find_rejection(scenario, s)) {  // one that breaks a rule may have no stages to speak of
        s.recompute = recompute_of(*c.recompute, layers_of_stages(scenario, s));
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
  take(merged.overlap, over.overlap);
  take(merged.compression, over.compression);
  take(merged.precision, over.precision);
  take(merged.offload, over.offload);
  take(merged.layers_per_stage, over.layers_per_stage);
  take(merged.axis_order, over.axis_order);
  return merged;
}

}  // namespace portolan
