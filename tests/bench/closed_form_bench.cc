#include <benchmark/benchmark.h>

#include <algorithm>
#include <functional>

#include "plan/closed_form.h"
#include "plan/legality.h"
#include "plan/search.h"
#include "tests/bench/shipped_scenarios.h"
#include "topology/cluster.h"

namespace portolan {
namespace {

constexpr double kGoalPerSecond = 100000;

/// Legal ones of those that the search runs over.
std::vector<Strategy> searched(const Scenario& scenario) {
  std::vector<Strategy> strategies = enumerate_strategies(scenario, {});
  std::erase_if(strategies, [&](const Strategy& s) { return find_rejection(scenario, s).has_value(); });
  return strategies;
}

/// Changes one field, or several that belong together; false where the field says nothing of the strategy.
using Word = std::function<bool(const Scenario&, Strategy&)>;

Word sharded(std::int32_t zero_stage, std::int32_t zero_group = 0) {
  return [=](const Scenario&, Strategy& s) {
    s.zero_stage = zero_stage;
    s.zero_group = zero_group;
    s.gradient_aggregation = {};
    return s.data_parallel > std::max(zero_group, 1);
  };
}

Word summing(CollectiveAlgorithm algorithm) {
  return [=](const Scenario&, Strategy& s) {
    s.gradient_aggregation.algorithm = algorithm;
    return s.data_parallel > 1 && s.zero_stage == 0;
  };
}

Word offloading(Offload offload) {
  return [=](const Scenario&, Strategy& s) {
    s.offload = offload;
    return true;
  };
}

/// What a user can ask for beside what the search runs over (tp, pp, dp, ep, virtual_stages, microbatch,
/// sequence_parallel, zero 0 and 1, recomputation alike in all layers, order, schedules of the software), by
/// the names of the strategy's fields: with these every one of them takes more than one value. Compression
/// needs the scenario's leave.
std::vector<std::pair<std::string, Word>> words() {
  return {
      {"searched", [](const Scenario&, Strategy&) { return true; }},
      {"schedule=zb-h1",
       [](const Scenario&, Strategy& s) {
         const bool instead = s.schedule == ScheduleKind::kGPipe;
         s.schedule = ScheduleKind::kZeroBubbleH1;
         return instead;
       }},
      {"layers=uneven",
       [](const Scenario& scenario, Strategy& s) {
         if (s.pipeline_parallel == 1) {
           return false;
         }
         s.layers_per_stage = layers_of_stages(scenario, s);
         --s.layers_per_stage.front();
         ++s.layers_per_stage[1];
         return true;
       }},
      {"precision=fp8",
       [](const Scenario&, Strategy& s) {
         s.precision = Precision::kFp8;
         return true;
       }},
      {"cp=2",
       [](const Scenario&, Strategy& s) {
         s.context_parallel = 2;
         s.data_parallel /= 2;
         return s.data_parallel > 0;
       }},
      {"zero=2", sharded(2)},
      {"zero=3", sharded(3)},
      {"zero=1 zero_group=8", sharded(1, 8)},
      {"zero=2 zero_group=8", sharded(2, 8)},
      {"zero=3 zero_group=8", sharded(3, 8)},
      {"bucket=25MB",
       [](const Scenario&, Strategy& s) {
         s.gradient_aggregation.overlap = true;
         s.gradient_aggregation.bucket = Bytes(25'000'000);
         return num_data_ranks(s) > 1;
       }},
      {"aggregation=tree", summing(CollectiveAlgorithm::kTree)},
      {"aggregation=hierarchical", summing(CollectiveAlgorithm::kHierarchical)},
      {"recompute=uniform:2",
       [](const Scenario&, Strategy& s) {
         s.recompute = {.all_layers = recompute_full(), .per_layer = {}, .layers_per_group = 2};
         return true;
       }},
      {"recompute=block:2",
       [](const Scenario& scenario, Strategy& s) {
         s.recompute = recompute_of(RecomputeBlock{.num_layers = 2}, layers_of_stages(scenario, s));
         return true;
       }},
      {"offload=activations", offloading(Offload::kActivations)},
      {"offload=optimizer", offloading(Offload::kOptimizer)},
      {"offload=activations+optimizer", offloading(Offload::kActivationsAndOptimizer)},
  };
}

std::vector<Strategy> with_word(const Scenario& scenario, const std::vector<Strategy>& base,
                                const Word& word) {
  std::vector<Strategy> changed;
  for (Strategy s : base) {
    if (word(scenario, s) && s.num_ranks() == scenario.num_gpus && !find_rejection(scenario, s)) {
      changed.push_back(std::move(s));
    }
  }
  return changed;
}

/// Step time and peak memory of each, nothing remembered from before.
void evaluate(benchmark::State& state, const Scenario& scenario, const std::vector<Strategy>& strategies,
              double goal = 0) {
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  for (auto _ : state) {
    ClosedForm closed_form(scenario, cluster);
    for (const Strategy& strategy : strategies) {
      if (!(closed_form.outcome(strategy).step_time > Seconds(0))) {
        state.SkipWithError("a step takes no time");
        return;
      }
    }
  }
  const double evaluations = static_cast<double>(strategies.size());
  state.counters["strategies"] = evaluations;
  if (goal > 0) {
    state.counters["goal_evaluations_per_s"] = goal;
  }
  state.counters["evaluations_per_s"] =
      benchmark::Counter(evaluations, benchmark::Counter::kIsIterationInvariantRate);
}

/// The strategies that `word` makes of those that the search runs over.
void one_word(benchmark::State& state, const Scenario& scenario, const Word& word) {
  const std::vector<Strategy> list = with_word(scenario, searched(scenario), word);
  list.empty() ? state.SkipWithError("no strategy is legal with it") : evaluate(state, scenario, list);
}

void whole_space(benchmark::State& state, const Scenario& scenario) {
  const std::vector<Strategy> base = searched(scenario);
  std::vector<Strategy> list;
  for (const auto& [name, word] : words()) {
    const std::vector<Strategy> changed = with_word(scenario, base, word);
    list.insert(list.end(), changed.begin(), changed.end());
  }
  evaluate(state, scenario, list, kGoalPerSecond);
}

[[maybe_unused]] const bool registered = [] {
  struct Space {
    std::string name;
    const Scenario& (*scenario)();
    std::vector<std::string> not_there;  // what its software or hardware cannot do
  };
  const auto megatron_1t = []() -> const Scenario& {
    static const Scenario scenario = megatron_1t_scenario(kManyGpus, 0.125);
    return scenario;
  };
  for (const Space& space : {Space{"gpt175b-512", gpt3_scenario, {"cp=2", "precision=fp8"}},
                             Space{"megatron1t-16384", megatron_1t, {"cp=2"}},
                             Space{"mixtral8x7b-512", mixtral_scenario, {"precision=fp8"}}}) {
    const std::string prefix = "ClosedForm/" + space.name + "/";
    const auto scenario = space.scenario;
    for (const auto& [name, word] : words()) {
      if (std::find(space.not_there.begin(), space.not_there.end(), name) != space.not_there.end()) {
        continue;
      }
      benchmark::RegisterBenchmark((prefix + name).c_str(), [scenario, word = word](benchmark::State& state) {
        one_word(state, scenario(), word);
      })->Unit(benchmark::kMillisecond);
    }
    benchmark::RegisterBenchmark((prefix + "whole-space").c_str(), [scenario](benchmark::State& state) {
      whole_space(state, scenario());
    })->Unit(benchmark::kMillisecond);
  }
  return true;
}();

}  // namespace
}  // namespace portolan
