#include <benchmark/benchmark.h>

#include "plan/closed_form.h"
#include "plan/search.h"
#include "tests/bench/shipped_scenarios.h"
#include "topology/cluster.h"

namespace portolan {
namespace {

/// Step time and peak memory of every legal candidate of a search, block costs remembered.
void closed_form(benchmark::State& state, const Scenario& scenario) {
  const Result<Cluster> cluster = Cluster::build(scenario.hardware);
  std::vector<Strategy> legal;
  for (const Strategy& strategy : enumerate_strategies(scenario, {})) {
    if (!find_rejection(scenario, strategy)) {
      legal.push_back(strategy);
    }
  }
  ClosedForm closed_form(scenario, *cluster);
  for (const Strategy& strategy : legal) {
    if (!(closed_form.outcome(strategy).step_time > Seconds(0))) {
      state.SkipWithError("a step takes no time");
      return;
    }
  }
  for (auto _ : state) {
    for (const Strategy& strategy : legal) {
      benchmark::DoNotOptimize(closed_form.outcome(strategy));
    }
  }
  const double evaluations = static_cast<double>(legal.size());
  state.counters["goal_evaluations_per_s"] = 100000;
  state.counters["evaluations_per_s"] =
      benchmark::Counter(evaluations, benchmark::Counter::kIsIterationInvariantRate);
}
void closed_form_gpt3(benchmark::State& state) { closed_form(state, gpt3_scenario()); }
BENCHMARK(closed_form_gpt3)->Name("ClosedForm/gpt175b-512")->Unit(benchmark::kMillisecond);

void closed_form_1t(benchmark::State& state) { closed_form(state, megatron_1t_scenario(kManyGpus, 0.125)); }
BENCHMARK(closed_form_1t)->Name("ClosedForm/megatron1t-16384")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace portolan
