#include "plan/rematerialization.h"

#include <gtest/gtest.h>

#include "plan/closed_form.h"
#include "plan/open_recompute.h"
#include "plan/search.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

/// A layer keeps 10 bytes and takes 12, or keeps 2, takes 12 and recomputes 3 s. Two of them, with two
/// microbatches in flight beside the one in backward: 2 x saved + the higher of 12 and saved below + 12.
RematerializationProblem two_layers(std::int64_t budget) {
  const LayerChoice keep{
      .saved = Bytes(10), .deferred = {}, .peak = Bytes(12), .peak_at_end = Bytes(12), .recompute = {}};
  const LayerChoice again{.saved = Bytes(2),
                          .deferred = {},
                          .peak = Bytes(12),
                          .peak_at_end = Bytes(12),
                          .recompute = Seconds(3)};
  RematerializationProblem problem;
  problem.kinds = {{keep, again}};
  problem.running = {0, 0};
  problem.moments = {{.num_saved = 2, .num_deferred = 0}};
  problem.budget = Bytes(budget);
  return problem;
}

TEST(RematerializationProblem, MemoryOfTwoLayers) {
  const RematerializationProblem problem = two_layers(0);
  EXPECT_EQ(rematerialized_memory(problem, {0, 0}).value, 2 * 20 + 10 + 12);
  EXPECT_EQ(rematerialized_memory(problem, {1, 0}).value, 2 * 12 + 2 + 12);
  EXPECT_EQ(rematerialized_memory(problem, {0, 1}).value, 2 * 12 + 10 + 12);  // below the one in backward
  EXPECT_EQ(rematerialized_memory(problem, {1, 1}).value, 2 * 4 + 2 + 12);
}

TEST(RematerializationProblem, RecomputesInTheLowestLayersFirst) {
  struct Row {
    std::int64_t budget;
    LayerChoices choices;
    double recompute;
  };
  for (const Row& row : {Row{100, {0, 0}, 0},
                         {62, {0, 0}, 0},
                         {61, {1, 0}, 3},
                         {38, {1, 0}, 3},
                         {37, {1, 1}, 6},
                         {22, {1, 1}, 6}}) {
    const std::optional<Rematerialization> found = rematerialize(two_layers(row.budget));
    ASSERT_TRUE(found) << row.budget;
    EXPECT_EQ(found->choices, row.choices) << row.budget;
    EXPECT_EQ(found->recompute.value, row.recompute) << row.budget;
  }
  EXPECT_FALSE(rematerialize(two_layers(21)));
}

TEST(RematerializationProblem, HeldChunksAndWhatLiesBesideCount) {
  RematerializationProblem problem = two_layers(0);
  problem.held = {{.layers = {0}, .num_saved = 4}};
  problem.saved_beside = Bytes(1);
  EXPECT_EQ(rematerialized_memory(problem, {0, 0, 1}).value, 2 * (20 + 1) + 10 + 12 + 4 * 2);
  problem.budget = Bytes(72);  // 104 with all kept; 80 where a layer that runs backward recomputes
  EXPECT_EQ(rematerialize(problem)->choices, (LayerChoices{0, 0, 1}));
}

TEST(RematerializationProblem, WhatIsPutOffIsHeldByTheLayersAbove) {
  RematerializationProblem problem = two_layers(1000);
  for (LayerChoice& choice : problem.kinds[0]) {
    choice.deferred = Bytes(11);
  }
  problem.moments = {{.num_saved = 0, .num_deferred = 1}};
  // The lowest layer runs backward while the other's weight gradients are put off.
  EXPECT_EQ(rematerialized_memory(problem, {0, 0}).value, 11 + 12 + 22);
}

TEST(RematerializationProblem, UndominatedChoicesAreTheFirstOfEqualOnes) {
  const LayerChoice keep = two_layers(0).kinds[0][0], again = two_layers(0).kinds[0][1];
  LayerChoice slower = again;
  slower.recompute = Seconds(4);
  EXPECT_EQ(undominated_choices({slower, keep, again, keep}), (std::vector<std::size_t>{1, 2}));
}

Strategy open(Strategy strategy) {
  strategy.recompute = {};
  strategy.recompute.optimal = RecomputeOptimal{};
  return strategy;
}

/// By the closed form; above it a run whose memory is `more` than that.
Evaluator evaluator_with(const Scenario& scenario, const Cluster& cluster, Bytes more) {
  return [&scenario, &cluster, more](std::span<const Strategy> strategies, Fidelity fidelity) {
    ClosedForm closed_form(scenario, cluster);
    std::vector<Result<Estimate>> results;
    for (const Strategy& strategy : strategies) {
      Estimate estimate = closed_form.evaluate(strategy);
      if (fidelity != Fidelity::kClosedForm) {
        estimate.peak_memory += more;
        for (StageMemory& stage : estimate.stage_memory) {
          stage.reserved += more;
        }
      }
      results.emplace_back(std::move(estimate));
    }
    return results;
  };
}

/// Eight layers on four stages, with half of what recomputation could free.
Scenario scarce_scenario(Strategy& strategy) {
  Scenario scenario = gpt_of_eight_layers();
  strategy = sample_strategy(scenario, {.tensor = 8, .pipeline = 4});
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  ClosedForm closed_form(scenario, cluster);
  const Bytes none = closed_form.outcome(strategy).peak_memory;
  Strategy full = strategy;
  full.recompute.all_layers = recompute_full();
  scenario.hardware.device.memory.value = (none + closed_form.outcome(full).peak_memory) / 2;
  return scenario;
}

TEST(OpenRecompute, IsChosenAgainWhereARungSeesMoreMemory) {
  Strategy strategy;
  const Scenario scenario = scarce_scenario(strategy);
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const Bytes more = scenario.hardware.device.memory.value / 100;
  const Evaluator evaluator = evaluator_with(scenario, cluster, more);
  const Verdict closed = judge(scenario, open(strategy), evaluator, Fidelity::kClosedForm);
  const Verdict folded = judge(scenario, open(strategy), evaluator, Fidelity::kFolded);
  ASSERT_EQ(closed.kind, Verdict::Kind::kRanked);
  ASSERT_EQ(folded.kind, Verdict::Kind::kRanked);
  EXPECT_GT(closed.estimate->peak_memory + more, scenario.hardware.device.memory.value);
  EXPECT_GE(folded.estimate->step_time, closed.estimate->step_time);
  EXPECT_NE(folded.estimate->strategy.recompute, closed.estimate->strategy.recompute);
  EXPECT_FALSE(folded.estimate->strategy.recompute.is_open());
  EXPECT_EQ(short_name(folded.estimate->strategy), short_name(open(strategy)));
}

TEST(OpenRecompute, TheSearchFindsTheBestWithoutSolvingForAll) {
  Strategy strategy;
  Scenario scenario = scarce_scenario(strategy);
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const Evaluator evaluator = evaluator_with(scenario, cluster, Bytes(0));
  StrategyConstraints fixed;
  fixed.recompute = open(strategy).recompute;
  fixed.tensor_parallel = 8;
  fixed.zero_stage = 0;
  fixed.sequence_parallel = true;
  const Result<SearchResult> found = search(scenario, fixed, {.cluster = cluster, .evaluator = evaluator},
                                            {.breadth = SpaceBreadth::kUsual,
                                             .shortlist = {.fewest = 3, .most = 3, .tolerance = 0},
                                             .num_full = 0});
  ASSERT_TRUE(found) << found.error().message;
  double best = 0;
  for (const Strategy& candidate : enumerate_strategies(scenario, fixed)) {
    const Verdict verdict = judge(scenario, candidate, evaluator, Fidelity::kClosedForm);
    if (verdict.kind == Verdict::Kind::kRanked) {
      const double time = verdict.estimate->step_time.value;
      best = best == 0 ? time : std::min(best, time);
    }
  }
  EXPECT_EQ(found->ranking.front().step_time.value, best);
  std::int64_t rejected = 0;
  for (const std::int64_t number : found->num_rejected) {
    rejected += number;
  }
  EXPECT_EQ(found->num_enumerated, rejected + std::ssize(found->ranking));
  EXPECT_GT(found->num_rejected[static_cast<std::size_t>(RejectReason::kBound)], 0);
}

}  // namespace
}  // namespace portolan
