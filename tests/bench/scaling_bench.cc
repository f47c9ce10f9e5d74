#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <cmath>

#include "plan/closed_form.h"
#include "plan/legality.h"
#include "plan/lower.h"
#include "plan/simulate.h"
#include "sim/simulator.h"
#include "tests/bench/shipped_scenarios.h"

namespace portolan {
namespace {

/// What a rung needs, made before the clock starts.
class Subject {
 public:
  Subject(Scenario scenario, Strategy strategy)
      : scenario_(std::move(scenario)),
        strategy_(std::move(strategy)),
        cluster_(Cluster::build(scenario_.hardware).value()) {
    if (!find_rejection(scenario_, strategy_)) {
      program_ = lower(scenario_, strategy_);
    }
  }

  bool is_legal() const { return !program_.stages.empty(); }
  Seconds closed_form() const { return ClosedForm(scenario_, cluster_).outcome(strategy_).step_time; }
  Simulation run(Fidelity fidelity) const {
    return simulate_program({.scenario = scenario_,
                             .strategy = strategy_,
                             .program = program_,
                             .cluster = cluster_,
                             .fidelity = fidelity},
                            simulate)
        .value();
  }

 private:
  Scenario scenario_;
  Strategy strategy_;
  Cluster cluster_;
  Program program_;
};

/// Verified before timing: the rung is near the closed form, which does not see what different stages' sums
/// of gradients share above the pods.
void simulate_rung(benchmark::State& state, const Subject& subject, Fidelity fidelity, double goal_ms,
                   double tolerance = 0.02) {
  if (!subject.is_legal()) {
    state.SkipWithError("not a legal strategy");
    return;
  }
  const Simulation checked = subject.run(fidelity);
  if (std::abs(checked.estimate.step_time / subject.closed_form() - 1) > tolerance) {
    state.SkipWithError("the rung and the closed form disagree");
    return;
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(subject.run(fidelity));
  }
  state.counters["activities"] = static_cast<double>(checked.num_activities);
  state.counters["activities_per_s"] = benchmark::Counter(static_cast<double>(checked.num_activities),
                                                          benchmark::Counter::kIsIterationInvariantRate);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  state.counters["peak_rss_mib"] = static_cast<double>(usage.ru_maxrss) / 1024;
  if (goal_ms > 0) {
    state.counters["goal_ms"] = goal_ms;
  }
}

Subject megatron_1t(std::int64_t num_gpus, double sequences_per_gpu, std::int32_t num_stages = 64) {
  Scenario scenario = megatron_1t_scenario(num_gpus, sequences_per_gpu);
  Strategy strategy = megatron_1t_strategy(scenario, num_stages);
  return {std::move(scenario), std::move(strategy)};
}

void megatron_1t_16384(benchmark::State& state, Fidelity fidelity, double goal_ms) {
  simulate_rung(state, megatron_1t(kManyGpus, 0.125), fidelity, goal_ms);
}
BENCHMARK_CAPTURE(megatron_1t_16384, folded, Fidelity::kFolded, 50.0)
    ->Name("Simulate/folded/megatron1t-tp8-pp64-dp32-m64")
    ->Unit(benchmark::kMillisecond);

/// Once: the peak of resident memory is the process', with what other benchmarks took before.
BENCHMARK_CAPTURE(megatron_1t_16384, replicas, Fidelity::kReplicas, 30000.0)
    ->Name("Simulate/replicas/megatron1t-tp8-pp64-dp32-m64")
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

/// One evaluation with nothing remembered: what `simulate --fidelity closed-form` takes.
void first_closed_form(benchmark::State& state) {
  const Subject subject = megatron_1t(kManyGpus, 0.125);
  for (auto _ : state) {
    benchmark::DoNotOptimize(subject.closed_form());
  }
}
BENCHMARK(first_closed_form)->Name("ClosedForm/first/megatron1t-16384")->Unit(benchmark::kMillisecond);

/// More replicas of the same 8 stages and 64 microbatches: flat, but where the stages' sends meet on core
/// switches (and at 16,384, where some of them cross these and some do not, twice the transfers).
void folded_against_gpus(benchmark::State& state) {
  simulate_rung(state, megatron_1t(state.range(0), 1, 8), Fidelity::kFolded, 0, 0.1);
  state.SetComplexityN(state.range(0));
}
BENCHMARK(folded_against_gpus)
    ->Name("Simulate/folded/gpus")
    ->RangeMultiplier(2)
    ->Range(64, 65536)
    ->Complexity()
    ->Unit(benchmark::kMillisecond);

/// The same with the smallest replicas, four GPUs each: up to 16,384 of them.
void folded_against_small_replicas(benchmark::State& state) {
  Scenario scenario = llama_7b_scenario(state.range(0));
  Strategy strategy = llama_7b_strategy(scenario);
  simulate_rung(state, {std::move(scenario), std::move(strategy)}, Fidelity::kFolded, 0, 0.1);
  state.SetComplexityN(state.range(0));
}
BENCHMARK(folded_against_small_replicas)
    ->Name("Simulate/folded/small_replicas")
    ->RangeMultiplier(4)
    ->Range(64, 65536)
    ->Complexity()
    ->Unit(benchmark::kMillisecond);

/// Experts on several nodes, of 16 ranks each way: what their exchanges meet is looked at too.
void folded_against_expert_replicas(benchmark::State& state) {
  Scenario scenario = mixtral_scenario();
  scenario.hardware = h100_cluster(state.range(0));
  scenario.num_gpus = state.range(0);
  scenario.global_batch = 4 * scenario.num_gpus;
  Strategy strategy = llama_7b_strategy(scenario);
  strategy.tensor_parallel = 2;
  strategy.sequence_parallel = true;
  strategy.expert_parallel = 8;
  strategy.data_parallel /= 2;
  simulate_rung(state, {std::move(scenario), std::move(strategy)}, Fidelity::kFolded, 0, 0.2);
  state.SetComplexityN(state.range(0));
}
BENCHMARK(folded_against_expert_replicas)
    ->Name("Simulate/folded/expert_replicas")
    ->RangeMultiplier(4)
    ->Range(64, 65536)
    ->Complexity()
    ->Unit(benchmark::kMillisecond);

void folded_against_microbatches(benchmark::State& state) {
  const auto microbatches = static_cast<double>(state.range(0));
  simulate_rung(state, megatron_1t(512, microbatches / 512), Fidelity::kFolded, 0);
  state.SetComplexityN(state.range(0));
}
BENCHMARK(folded_against_microbatches)
    ->Name("Simulate/folded/microbatches")
    ->RangeMultiplier(2)
    ->Range(64, 1024)
    ->Complexity()
    ->Unit(benchmark::kMillisecond);

void folded_against_layers(benchmark::State& state) {
  Scenario scenario = gpt3_scenario();
  scenario.model.num_layers = static_cast<std::int32_t>(state.range(0));
  simulate_rung(state, {std::move(scenario), gpt3_strategy()}, Fidelity::kFolded, 0);
  state.SetComplexityN(state.range(0));
}
BENCHMARK(folded_against_layers)
    ->Name("Simulate/folded/layers")
    ->RangeMultiplier(2)
    ->Range(16, 512)
    ->Complexity()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace portolan
