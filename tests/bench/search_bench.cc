#include <benchmark/benchmark.h>

#include "plan/branch_and_bound.h"
#include "sim/worker_pool.h"
#include "tests/bench/shipped_scenarios.h"
#include "topology/cluster.h"

namespace portolan {
namespace {

/// With all that a framework can be able to do: every field varies.
Scenario able(Scenario scenario) {
  for (Sourced<bool> SoftwareProfile::*ability :
       {&SoftwareProfile::sharding_groups, &SoftwareProfile::operator_recompute,
        &SoftwareProfile::activation_offload, &SoftwareProfile::optimizer_offload,
        &SoftwareProfile::tree_sums, &SoftwareProfile::hierarchical_sums,
        &SoftwareProfile::zero_bubble_schedule}) {
    (scenario.software.*ability).value = true;
  }
  scenario.software.zero_stages.value = 3;
  return scenario;
}

/// GPT-3 175B on 512 A100s by the closed form, with so many worker processes.
void branch_and_bound_of(benchmark::State& state, const Scenario& scenario, double goal_s) {
  const auto num_workers = static_cast<int>(state.range(0));
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const SearchSpace space(scenario, {}, SpaceBreadth::kWhole);
  const TaskRunner runner = [&](int num_tasks, const std::function<std::string(int)>& task) {
    return num_workers == 1 ? run_here(num_tasks, task) : map_in_workers(num_workers, num_tasks, task);
  };
  std::int64_t evaluated = 0;
  for (auto _ : state) {
    const Result<BoundedSearch> found = branch_and_bound(scenario, cluster, space, {}, Bytes(0), runner);
    if (!found || found->best.empty()) {
      state.SkipWithError("nothing found");
      return;
    }
    evaluated = found->num_evaluated;
  }
  state.counters["strategies"] = static_cast<double>(space.num_strategies());
  state.counters["evaluated"] = static_cast<double>(evaluated);
  state.counters["goal_s"] = goal_s;
}

void gpt3(benchmark::State& state) { branch_and_bound_of(state, gpt3_scenario(), 10); }
void gpt3_every_field(benchmark::State& state) { branch_and_bound_of(state, able(gpt3_scenario()), 10); }

BENCHMARK(gpt3)->Name("Search/gpt3/workers")->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(gpt3_every_field)
    ->Name("Search/gpt3_every_field/workers")
    ->Arg(1)
    ->Arg(2)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace portolan
