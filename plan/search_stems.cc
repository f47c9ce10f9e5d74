#include "plan/search_stems.h"

#include <algorithm>
#include <numeric>

namespace portolan {

namespace {

template <typename T>
std::vector<T> either(const std::optional<T>& fixed, std::vector<T> otherwise) {
  return fixed ? std::vector<T>{*fixed} : std::move(otherwise);
}

constexpr std::int64_t kLargestMicrobatch = 64;

std::vector<std::int64_t> microbatch_sizes(std::int64_t global_batch) {
  std::vector<std::int64_t> list;
  for (std::int64_t size = 1; size <= std::min(global_batch, kLargestMicrobatch); size *= 2) {
    list.push_back(size);
  }
  return list;
}

using AxisOrder = std::array<Axis, kNumAxes>;

/// Tensor parallelism stays innermost, axes that divide nothing in their place behind the one before them,
/// and experts, which lie on data-parallel ranks, before these.
std::vector<AxisOrder> axis_orders(const Strategy& s, SpaceBreadth breadth) {
  std::vector<std::vector<Axis>> blocks;  // that change places
  std::vector<Axis> ahead{Axis::kTensor};
  const auto add = [&](const std::vector<Axis>& block, bool divides) {
    if (divides) {
      blocks.push_back(block);
    } else {
      std::vector<Axis>& before = blocks.empty() ? ahead : blocks.back();
      before.insert(before.end(), block.begin(), block.end());
    }
  };
  add({Axis::kContext}, s.context_parallel > 1 && breadth == SpaceBreadth::kWhole);
  add({Axis::kExpert, Axis::kData}, s.data_parallel > 1);
  add({Axis::kPipeline}, s.pipeline_parallel > 1);
  std::vector<std::size_t> places(blocks.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  std::vector<AxisOrder> orders;
  do {
    std::vector<Axis> order = ahead;
    for (const std::size_t place : places) {
      order.insert(order.end(), blocks[place].begin(), blocks[place].end());
    }
    std::copy(order.begin(), order.end(), orders.emplace_back().begin());
  } while (std::next_permutation(places.begin(), places.end()));
  return orders;
}

/// Fields that no branch varies.
Strategy base_strategy(const Scenario& scenario, const StrategyConstraints& fixed) {
  Strategy s;
  s.precision = fixed.precision.value_or(scenario.precision);
  s.layers_per_stage = fixed.layers_per_stage.value_or(std::vector<std::int32_t>{});
  return s;
}

/// Pipeline degrees that a list of layers leaves: as many stages as it has, or a divisor with virtual stages.
std::vector<std::int32_t> listed_degrees(const Scenario& scenario, const StrategyConstraints& fixed) {
  const auto stages = static_cast<std::int32_t>(fixed.layers_per_stage->size());
  std::vector<std::int32_t> degrees = divisors(stages);
  std::erase_if(degrees, [&](std::int32_t degree) {
    return degree < stages && (degree == 1 || scenario.num_gpus % degree != 0);
  });
  return degrees;
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

/// The stems so far. Each call multiplies them by the choices for one field, in the order of the choices.
class Stems {
 public:
  explicit Stems(Strategy base) : list_{std::move(base)} {}

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
  /// `add(strategy, into)` appends what becomes of one stem.
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

void vary_degrees(Stems& stems, const Scenario& scenario, const StrategyConstraints& fixed,
                  SpaceBreadth breadth) {
  const std::vector<std::int32_t> degrees = divisors(scenario.num_gpus);
  const auto cannot_be = [&](std::int32_t degree) { return scenario.num_gpus % std::max(degree, 1) != 0; };
  const bool pipeline_asked = fixed.pipeline_parallel || fixed.layers_per_stage;
  const bool divides_sequences = breadth == SpaceBreadth::kWhole && scenario.software.context_parallel.value;
  stems.vary(&Strategy::tensor_parallel,
             [&](const Strategy&) { return either(fixed.tensor_parallel, degrees); });
  stems.vary(&Strategy::pipeline_parallel, [&](const Strategy&) {
    return either(fixed.pipeline_parallel,
                  fixed.layers_per_stage ? listed_degrees(scenario, fixed) : degrees);
  });
  stems.vary(&Strategy::context_parallel, [&](const Strategy&) {
    return either(fixed.context_parallel, divides_sequences ? degrees : std::vector<std::int32_t>{1});
  });
  stems.expand([&](Strategy s, std::vector<Strategy>& into) {
    const std::int64_t product =
        std::int64_t{s.tensor_parallel} * s.pipeline_parallel * std::max(s.context_parallel, 1);
    const bool whole = product > 0 && scenario.num_gpus % product == 0;
    const bool tp_asked =
        fixed.tensor_parallel && cannot_be(s.tensor_parallel) && (s.pipeline_parallel == 1 || pipeline_asked);
    const bool pp_asked =
        pipeline_asked && cannot_be(s.pipeline_parallel) && (s.tensor_parallel == 1 || fixed.tensor_parallel);
    const bool all_asked = fixed.tensor_parallel && pipeline_asked;
    const bool plainest = s.context_parallel == 1 || fixed.context_parallel.has_value();
    if (whole || fixed.data_parallel || ((tp_asked || pp_asked || all_asked) && plainest)) {
      const auto quotient = static_cast<std::int32_t>(whole ? scenario.num_gpus / product : 1);
      s.data_parallel = fixed.data_parallel.value_or(quotient);
      into.push_back(std::move(s));
    }
  });
}

}  // namespace

std::vector<std::int32_t> divisors(std::int64_t n) {
  std::vector<std::int32_t> list;
  for (std::int64_t i = 1; i <= n; ++i) {
    if (n % i == 0) {
      list.push_back(static_cast<std::int32_t>(i));
    }
  }
  return list;
}

std::vector<Strategy> search_stems(const Scenario& scenario, const StrategyConstraints& fixed,
                                   SpaceBreadth breadth) {
  Stems stems(base_strategy(scenario, fixed));
  vary_degrees(stems, scenario, fixed, breadth);
  stems.vary(&Strategy::expert_parallel, [&](const Strategy& s) {
    return either(fixed.expert_parallel, expert_degrees(scenario.model, s));
  });
  stems.vary(&Strategy::axis_order,
             [&](const Strategy& s) { return either(fixed.axis_order, axis_orders(s, breadth)); });
  stems.vary(&Strategy::microbatch_size, [&](const Strategy&) {
    return either(fixed.microbatch_size, microbatch_sizes(scenario.global_batch));
  });
  stems.vary(&Strategy::sequence_parallel, [&](const Strategy& s) {
    return either(fixed.sequence_parallel, s.tensor_parallel > 1 && scenario.software.sequence_parallel.value
                                               ? std::vector<bool>{true, false}
                                               : std::vector<bool>{false});
  });
  return stems.take();
}

}  // namespace portolan
