#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "plan/legality.h"
#include "plan/search_space.h"
#include "plan/strategy_constraints.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

TEST(Enumerate, CoversDegreesMicrobatchesRecomputationZeroSchedulesAndOrders) {
  const Scenario scenario = tiny_scenario(4);
  const std::vector<Strategy> list = enumerate_strategies(scenario, {});
  std::set<std::string> names;
  std::set<std::array<std::int32_t, 3>> degrees;
  std::set<std::int64_t> microbatches;
  for (const Strategy& s : list) {
    EXPECT_TRUE(names.insert(short_name(s)).second) << short_name(s) << " twice";
    EXPECT_EQ(s.num_ranks(), 4);
    EXPECT_EQ(s.precision, Precision::kFp32);
    degrees.insert({s.tensor_parallel, s.pipeline_parallel, s.data_parallel});
    microbatches.insert(s.microbatch_size);
  }
  EXPECT_EQ(degrees, (std::set<std::array<std::int32_t, 3>>{
                         {1, 1, 4}, {1, 2, 2}, {1, 4, 1}, {2, 1, 2}, {2, 2, 1}, {4, 1, 1}}));
  EXPECT_EQ(microbatches, (std::set<std::int64_t>{1, 2, 4, 8, 16}));
  // (tp, pp, dp), each with 5 microbatches and 3 recomputations: schedules (1f1b; with pp > 1 gpipe and
  // zb-h1, with two layers a stage interleaved) x 4 ZeRO stages with dp > 1 x orders with both x sequence
  // parallelism with tp > 1. 1,1,4: 4; 1,2,2: 4 x 4 x 2; 1,4,1: 3; 2,1,2: 4 x 2; 2,2,1: 4 x 2; 4,1,1: 2. 57
  // in all.
  EXPECT_EQ(std::ssize(list), 57 * 5 * 3);
}

TEST(Enumerate, HonoursEveryConstraint) {
  const Scenario scenario = tiny_scenario(8);
  StrategyConstraints c;
  c.tensor_parallel = 2;
  c.pipeline_parallel = 2;
  c.data_parallel = 2;
  c.context_parallel = 2;
  c.expert_parallel = 3;
  c.virtual_stages = 4;
  c.sequence_parallel = true;
  c.microbatch_size = 3;
  c.schedule = ScheduleKind::kGPipe;
  c.zero_stage = 1;
  c.zero_group = 2;
  c.recompute = Recompute{.all_layers = recompute_full(), .per_layer = {}};
  c.aggregation = CollectiveAlgorithm::kTree;
  c.bucket = Bytes(7);
  c.compression = Compression{.kind = CompressionKind::kInt8};
  c.precision = Precision::kBf16;
  c.offload = Offload::kOptimizer;
  c.layers_per_stage = {1, 3};
  c.axis_order = {Axis::kData, Axis::kTensor, Axis::kContext, Axis::kExpert, Axis::kPipeline};
  const std::vector<Strategy> list = enumerate_strategies(scenario, c);
  ASSERT_EQ(list.size(), 1U);
  Strategy expected;
  expected.tensor_parallel = expected.pipeline_parallel = expected.data_parallel = expected.context_parallel =
      2;
  expected.expert_parallel = 3;
  expected.virtual_stages = 4;
  expected.sequence_parallel = true;
  expected.microbatch_size = 3;
  expected.schedule = ScheduleKind::kGPipe;
  expected.zero_stage = 1;
  expected.zero_group = 2;
  expected.recompute.all_layers = recompute_full();
  expected.gradient_aggregation = {CollectiveAlgorithm::kTree, Bytes(7), true,
                                   Compression{.kind = CompressionKind::kInt8}};
  expected.precision = Precision::kBf16;
  expected.offload = Offload::kOptimizer;
  expected.layers_per_stage = {1, 3};
  expected.axis_order = *c.axis_order;
  EXPECT_EQ(list.front(), expected);
  EXPECT_EQ(merge_constraints({}, c), c);
  EXPECT_EQ(merge_constraints(c, {}), c);
  StrategyConstraints over;
  over.tensor_parallel = 8;
  EXPECT_EQ(merge_constraints(c, over).tensor_parallel, 8);
  EXPECT_EQ(merge_constraints(c, over).pipeline_parallel, 2);
}

// Of what ZeRO reduces and scatters there are no trees: with them the search shards nothing, or in groups.
TEST(Enumerate, TriesTreesWhereTheyHaveSomethingToSum) {
  const Scenario scenario = tiny_scenario(4);
  StrategyConstraints c;
  c.data_parallel = 4;
  c.tensor_parallel = c.pipeline_parallel = 1;
  c.microbatch_size = 1;
  for (const auto& [algorithm, group, most] : {std::tuple{CollectiveAlgorithm::kTree, 0, 0},
                                               {CollectiveAlgorithm::kTree, 2, 3},
                                               {CollectiveAlgorithm::kHierarchical, 0, 3}}) {
    c.aggregation = algorithm;
    c.zero_group = group;
    std::int32_t highest = 0;
    for (const Strategy& s : enumerate_strategies(scenario, c)) {
      highest = std::max(highest, s.zero_stage);
      EXPECT_FALSE(find_rejection(scenario, s)) << short_name(s);
    }
    EXPECT_EQ(highest, most) << algorithm_name(algorithm) << " " << group;
  }
  c.zero_stage = 1;  // asked for, it has its verdict
  c.aggregation = CollectiveAlgorithm::kTree;
  c.zero_group = 0;
  EXPECT_FALSE(enumerate_strategies(scenario, c).empty());
}

TEST(Enumerate, ResolvesTheFirstLayersOfEachStage) {
  const Scenario scenario = tiny_scenario(2);
  StrategyConstraints c;
  c.recompute = RecomputeBlock{1};
  std::set<std::string> names;
  for (const Strategy& s : enumerate_strategies(scenario, c)) {
    if (!find_rejection(scenario, s)) {
      names.insert(std::to_string(s.pipeline_parallel) + " " + recompute_name(s));
      EXPECT_EQ(s.recompute, recompute_of(RecomputeBlock{1}, layers_of_stages(scenario, s)));
    }
  }
  // Interleaved, each of the four virtual stages has one layer.
  EXPECT_EQ(names, (std::set<std::string>{"1 block:1", "2 block:1", "2 full"}));
}

TEST(Enumerate, AListOfLayersSaysHowManyVirtualStages) {
  const Scenario scenario = tiny_scenario(2);
  StrategyConstraints c;
  c.pipeline_parallel = 2;
  c.schedule = ScheduleKind::kInterleaved;
  c.layers_per_stage = {0, 2, 2, 0};
  const std::vector<Strategy> list = enumerate_strategies(scenario, c);
  ASSERT_FALSE(list.empty());
  for (const Strategy& s : list) {
    EXPECT_EQ(s.virtual_stages, 2);
  }
}

TEST(Enumerate, AListOfLayersSaysHowManyStages) {
  const Scenario scenario = tiny_scenario(8);
  const auto degrees = [&](const std::vector<std::int32_t>& layers) {
    StrategyConstraints c;
    c.layers_per_stage = layers;
    std::set<std::string> found;
    for (const Strategy& s : enumerate_strategies(scenario, c)) {
      found.insert(std::to_string(s.pipeline_parallel) + " x " + std::to_string(s.virtual_stages));
    }
    return found;
  };
  using Found = std::set<std::string>;
  EXPECT_EQ(degrees({1, 3}), (Found{"2 x 1"}));
  EXPECT_EQ(degrees({1, 1, 1, 1}), (Found{"4 x 1", "2 x 2", "2 x 1"}));
  EXPECT_EQ(degrees({1, 2, 1}), (Found{"3 x 1"})) << "for a verdict";
  EXPECT_EQ(degrees({4}), (Found{"1 x 1"}));
}

TEST(Enumerate, KeepsAFixedCombinationThatCannotBe) {
  // So that the answer says why, instead of "no candidates".
  StrategyConstraints c;
  c.tensor_parallel = 3;
  c.pipeline_parallel = 5;
  EXPECT_FALSE(enumerate_strategies(tiny_scenario(8), c).empty());
}

}  // namespace
}  // namespace portolan
