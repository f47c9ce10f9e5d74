#include <benchmark/benchmark.h>

#include <string>

#include "plan/closed_form.h"
#include "plan/legality.h"
#include "tests/bench/shipped_scenarios.h"
#include "topology/cluster.h"

namespace portolan {
namespace {

constexpr double kGoalMilliseconds = 10;

/// GPT-3's widths in 128 layers on one pipeline stage or eight, with `percent` of the memory between what
/// full recomputation and none need. Prices of layers are remembered from before: they depend on no budget.
void choose_sets(benchmark::State& state, std::int32_t stages, std::int64_t percent) {
  Scenario scenario = gpt3_scenario();
  scenario.model.num_layers = 128;
  Strategy strategy;
  strategy.tensor_parallel = 8;
  strategy.pipeline_parallel = stages;
  strategy.data_parallel = static_cast<std::int32_t>(scenario.num_gpus) / 8 / stages;
  strategy.sequence_parallel = true;
  if (find_rejection(scenario, strategy)) {
    state.SkipWithError("the strategy breaks a rule");
    return;
  }
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  ClosedForm closed_form(scenario, cluster);
  const auto outcome = [&](const RecomputeSet& set) {
    strategy.recompute = {.all_layers = set, .per_layer = {}};
    return closed_form.outcome(strategy);
  };
  const ClosedForm::Outcome none = outcome(recompute_none()), full = outcome(recompute_full());
  const Bytes budget = full.peak_memory + (none.peak_memory - full.peak_memory) * percent / 100;
  strategy.recompute = {};
  strategy.recompute.optimal = RecomputeOptimal{.spare = scenario.hardware.device.memory.value - budget};
  Recompute chosen = closed_form.optimal_recompute(strategy);
  for (auto _ : state) {
    chosen = closed_form.optimal_recompute(strategy);
    benchmark::DoNotOptimize(chosen);
  }
  strategy.recompute = chosen;
  const ClosedForm::Outcome its = closed_form.outcome(strategy);
  if (its.peak_memory > budget || its.step_time < none.step_time || its.step_time > full.step_time) {
    state.SkipWithError("what was chosen does not fit, or is slower than full recomputation");
  }
  state.counters["goal_ms"] = kGoalMilliseconds;
}

[[maybe_unused]] const bool rematerialization_registered = [] {
  for (const std::int32_t stages : {1, 8}) {
    for (const std::int64_t percent : {10, 50, 90}) {
      const std::string name =
          "Rematerialization/128-layers-" + std::to_string(stages) + "-stages/" + std::to_string(percent);
      benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
        choose_sets(state, stages, percent);
      })->Unit(benchmark::kMillisecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace portolan
