#include <benchmark/benchmark.h>

#include <cmath>

#include "plan/lower.h"
#include "plan/memory_timeline.h"
#include "plan/simulate.h"
#include "report/step_trace.h"
#include "sim/simulator.h"
#include "tests/bench/shipped_scenarios.h"
#include "topology/cluster.h"

namespace portolan {

namespace {

/// fold, coalesce, unfold, SimGrid, breakdown, memory: all but lowering. Verified before timing: the rungs
/// agree to 0.01%.
void simulate_gpt3(benchmark::State& state, Fidelity fidelity, double goal_ms) {
  const Scenario& scenario = gpt3_scenario();
  const Strategy strategy = gpt3_strategy();
  const Program program = lower(scenario, strategy);
  const Result<Cluster> cluster = Cluster::build(scenario.hardware);
  const auto run = [&](Fidelity rung) {
    return simulate_program({.scenario = scenario,
                             .strategy = strategy,
                             .program = program,
                             .cluster = *cluster,
                             .fidelity = rung},
                            simulate);
  };
  const double folded = run(Fidelity::kFolded)->estimate.step_time.value;
  const double full = run(Fidelity::kFull)->estimate.step_time.value;
  if (std::abs(folded / full - 1) > 1e-4) {
    state.SkipWithError("folded and full disagree");
    return;
  }
  std::int64_t activities = 0;
  for (auto _ : state) {
    activities = run(fidelity)->num_activities;
  }
  state.counters["goal_ms"] = goal_ms;
  state.counters["activities"] = static_cast<double>(activities);
  state.counters["activities_per_s"] =
      benchmark::Counter(static_cast<double>(activities), benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK_CAPTURE(simulate_gpt3, folded, Fidelity::kFolded, 5.0)
    ->Name("Simulate/folded/gpt175b-tp8-pp8-dp8-m64")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(simulate_gpt3, full, Fidelity::kFull, 250.0)
    ->Name("Simulate/full/gpt175b-tp8-pp8-dp8-m64")
    ->Unit(benchmark::kMillisecond);

void lower_gpt3(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(lower(gpt3_scenario(), gpt3_strategy()));
  }
}
BENCHMARK(lower_gpt3)->Name("Lower/gpt175b-tp8-pp8-dp8-m64")->Unit(benchmark::kMillisecond);

/// Of a timeline at hand. The goal: 68,000 events a second.
void write_trace(benchmark::State& state) {
  const Scenario& scenario = gpt3_scenario();
  const Strategy strategy = gpt3_strategy();
  const Program program = lower(scenario, strategy);
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const Result<Simulation> simulation = simulate_program({.scenario = scenario,
                                                          .strategy = strategy,
                                                          .program = program,
                                                          .cluster = cluster,
                                                          .with_timeline = true},
                                                         simulate);
  for (auto _ : state) {
    const std::vector<SlotMemory> memory = memory_timeline(scenario, strategy, program, simulation->timeline);
    benchmark::DoNotOptimize(step_trace(program, simulation->timeline, memory, ""));
  }
  const auto events = static_cast<double>(simulation->timeline.entries.size());
  state.counters["events"] = events;
  state.counters["goal_ms"] = events / 68;
  state.counters["events_per_s"] = benchmark::Counter(events, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(write_trace)->Name("Trace/gpt175b-tp8-pp8-dp8-m64")->Unit(benchmark::kMillisecond);

}  // namespace

}  // namespace portolan
