#include <gtest/gtest.h>

#include <algorithm>

#include "plan/closed_form.h"
#include "plan/legality.h"
#include "plan/lower.h"
#include "plan/memory.h"
#include "sample_scenarios.h"
#include "small_programs.h"

namespace portolan {
namespace {

constexpr double kRounding = 2e-9;  // what the solver takes for equal, and sums in another order

Recompute everywhere(const RecomputeSet& set, std::int32_t layers_per_group = 1) {
  return {.all_layers = set, .per_layer = {}, .layers_per_group = layers_per_group};
}

/// A strategy with `budget` bytes on each device, judged by the closed form.
class Judge {
 public:
  Judge(const Scenario& scenario, Strategy strategy)
      : scenario_(scenario),
        cluster_(Cluster::build(scenario.hardware).value()),
        closed_form_(scenario_, cluster_),
        strategy_(std::move(strategy)) {}

  ClosedForm::Outcome of(const Recompute& recompute) {
    strategy_.recompute = recompute;
    return closed_form_.outcome(strategy_);
  }
  Recompute optimal(Bytes budget) {
    strategy_.recompute = {};
    strategy_.recompute.optimal = RecomputeOptimal{.spare = scenario_.hardware.device.memory.value - budget};
    return closed_form_.optimal_recompute(strategy_);
  }
  std::vector<std::int32_t> layers() const { return layers_of_stages(scenario_, strategy_); }

 private:
  const Scenario& scenario_;
  Cluster cluster_;
  ClosedForm closed_form_;
  Strategy strategy_;
};

/// From less than full recomputation needs to what none needs.
std::vector<Bytes> budgets_of(Judge& judge, std::int64_t steps) {
  const Bytes none = judge.of(everywhere(recompute_none())).peak_memory;
  const Bytes full = judge.of(everywhere(recompute_full())).peak_memory;
  const std::int64_t range = none.value - full.value;
  std::vector<Bytes> budgets = {full - Bytes(std::max<std::int64_t>(range / 4, 1)), full - Bytes(1)};
  for (std::int64_t i = 0; i <= steps; ++i) {
    budgets.emplace_back(full.value + range * i / steps);
  }
  return budgets;
}

/// What a user could ask for instead.
std::vector<Recompute> rivals_of(const Judge& judge) {
  std::vector<Recompute> rivals = {everywhere(recompute_none()), everywhere(recompute_selective()),
                                   everywhere(recompute_full())};
  const std::vector<std::int32_t> layers = judge.layers();
  const std::int32_t most = *std::max_element(layers.begin(), layers.end());
  for (std::int32_t n = 1; n <= most; ++n) {
    rivals.push_back(recompute_of(RecomputeBlock{.num_layers = n}, layers));
    rivals.push_back(everywhere(recompute_full(), n));
  }
  return rivals;
}

/// Where stages have several chunks, a step also depends on which of them recompute: what is least is the
/// time that a stage recomputes in all.
bool least_recompute_is_fastest(const Strategy& strategy) { return strategy.virtual_stages == 1; }

void expect_best_at_any_budget(const Scenario& scenario, const Strategy& strategy) {
  SCOPED_TRACE(scenario.model.name + " " + short_name(strategy));
  Judge judge(scenario, strategy);
  double before = 0;
  for (const Bytes budget : budgets_of(judge, 6)) {
    SCOPED_TRACE(budget.value);
    const Recompute chosen = judge.optimal(budget);
    EXPECT_FALSE(chosen.is_open());
    const ClosedForm::Outcome its = judge.of(chosen);
    const bool fits = its.peak_memory <= budget;
    for (const Recompute& rival : rivals_of(judge)) {
      const ClosedForm::Outcome other = judge.of(rival);
      if (other.peak_memory <= budget) {
        EXPECT_TRUE(fits) << recompute_name(rival);
        EXPECT_LE(its.step_time.value, other.step_time.value * (1 + kRounding)) << recompute_name(rival);
      }
    }
    EXPECT_TRUE(fits || before == 0) << "fits in less";
    if (fits) {
      const bool no_slower = before == 0 || its.step_time.value <= before * (1 + kRounding);
      EXPECT_TRUE(no_slower || !least_recompute_is_fastest(strategy));
      before = its.step_time.value;
    }
  }
  EXPECT_EQ(recompute_name(judge.optimal(budgets_of(judge, 6).back())), "none");
}

TEST(OptimalRecompute, IsNeverWorseThanWhatElseCanBeAskedForAtAnyBudget) {
  int looked_at = 0;
  for (const Scenario& scenario : small_scenarios()) {
    std::vector<Strategy> strategies = legal_strategies(scenario);
    std::erase_if(strategies, [](const Strategy& s) { return recompute_name(s) != "none"; });
    for (std::size_t i = 0; i < strategies.size(); i += 41) {
      expect_best_at_any_budget(scenario, strategies[i]);
      ++looked_at;
    }
  }
  EXPECT_GT(looked_at, 30);
}

std::vector<Strategy> small_pipelines_of(const Scenario& scenario) {
  std::vector<Strategy> strategies;
  for (const ScheduleKind schedule :
       {ScheduleKind::kGPipe, ScheduleKind::kOneFOneB, ScheduleKind::kZeroBubbleH1}) {
    Strategy s = sample_strategy(scenario,
                                 {.pipeline = static_cast<std::int32_t>(scenario.num_gpus), .microbatch = 2});
    s.schedule = schedule;
    if (!find_rejection(scenario, s)) {
      strategies.push_back(s);
    }
  }
  return strategies;
}

/// `sets` for each of the layers in every way.
void expect_best_of_all(const Scenario& scenario, const Strategy& strategy,
                        const std::vector<RecomputeSet>& sets) {
  SCOPED_TRACE(short_name(strategy));
  Judge judge(scenario, strategy);
  std::vector<ClosedForm::Outcome> outcomes;
  const auto layers = static_cast<std::size_t>(scenario.model.num_layers);
  std::vector<std::size_t> pick(layers, 0);
  for (std::size_t i = 0; i < layers;) {
    Recompute recompute;
    for (const std::size_t set : pick) {
      recompute.per_layer.push_back(sets[set]);
    }
    outcomes.push_back(judge.of(recompute));
    for (i = 0; i < layers && ++pick[i] == sets.size(); ++i) {
      pick[i] = 0;
    }
  }
  for (const Bytes budget : budgets_of(judge, 12)) {
    SCOPED_TRACE(budget.value);
    const ClosedForm::Outcome its = judge.of(judge.optimal(budget));
    for (const ClosedForm::Outcome& other : outcomes) {
      if (other.peak_memory <= budget) {
        ASSERT_LE(its.peak_memory, budget);
        ASSERT_LE(its.step_time.value, other.step_time.value * (1 + kRounding));
      }
    }
  }
}

RecomputeSet groups(std::initializer_list<KernelGroup> list) {
  RecomputeSet set;
  for (const KernelGroup group : list) {
    set.set(static_cast<std::size_t>(group));
  }
  return set;
}

// The closed form knows the memory and the time of each: no sum of layers is taken for granted.
TEST(OptimalRecompute, NoSetsOfTheLayersAreFasterAndFit) {
  const std::vector<RecomputeSet> some = {recompute_none(),
                                          recompute_selective(),
                                          recompute_full(),
                                          groups({KernelGroup::kMlp}),
                                          groups({KernelGroup::kNorm1, KernelGroup::kNorm2}),
                                          groups({KernelGroup::kQkv, KernelGroup::kAttentionCore})};
  for (const std::int64_t num_gpus : {1, 2, 4}) {
    Scenario scenario = tiny_scenario(num_gpus);
    for (const bool whole : {true, false}) {
      scenario.software.recompute_whole_group.value = whole;
      scenario.software.dropout.value = whole;
      for (const Strategy& strategy : small_pipelines_of(scenario)) {
        expect_best_of_all(scenario, strategy, some);
      }
    }
  }
}

TEST(OptimalRecompute, NoSetsAtAllOfTwoLayersAreFasterAndFit) {
  std::vector<RecomputeSet> all;
  for (unsigned long set = 0; set <= recompute_full().to_ulong(); ++set) {
    all.emplace_back(set);
  }
  for (const std::int64_t num_gpus : {1, 2}) {
    Scenario scenario = tiny_scenario(num_gpus);
    scenario.model.num_layers = 2;
    for (const Strategy& strategy : small_pipelines_of(scenario)) {
      expect_best_of_all(scenario, strategy, all);
    }
  }
}

// Four sets over four layers in every way: what the closed form says of layers that differ is what a sweep of
// the Program's buffers finds.
TEST(OptimalRecompute, MemoryOfLayersThatDifferIsThatOfTheProgram) {
  const std::vector<RecomputeSet> sets = {recompute_none(), recompute_selective(), recompute_full(),
                                          groups({KernelGroup::kMlp})};
  for (const std::int32_t stages : {1, 2}) {
    Scenario scenario = tiny_scenario(stages);
    scenario.software.blocking_sends.value = true;  // what others hold is not in the closed form
    scenario.software.dropout.value = true;
    const Cluster cluster = Cluster::build(scenario.hardware).value();
    ClosedForm closed_form(scenario, cluster);
    for (int mix = 0; mix < 256; ++mix) {
      Strategy strategy = sample_strategy(scenario, {.pipeline = stages});
      for (int layer = 0; layer < 4; ++layer) {
        strategy.recompute.per_layer.push_back(sets[static_cast<std::size_t>(mix >> (2 * layer)) % 4]);
      }
      SCOPED_TRACE(recompute_name(strategy.recompute));
      const Estimate estimate = closed_form.evaluate(strategy);
      const Program program = lower(scenario, strategy);
      for (std::size_t s = 0; s < program.stages.size(); ++s) {
        const auto swept = static_cast<double>(stage_peak_memory(program.stages[s]).allocated.value);
        const auto closed = static_cast<double>(estimate.stage_memory[s].allocated.value);
        EXPECT_NEAR(closed, swept, 1e-4 * swept) << "stage " << s;
      }
    }
  }
}

}  // namespace
}  // namespace portolan
