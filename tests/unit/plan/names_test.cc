#include <gtest/gtest.h>

#include <set>

#include "plan/costed_program.h"
#include "plan/legality.h"
#include "plan/program.h"
#include "plan/strategy.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

/// Names of all enumerators are distinct, and each is found again by its name.
template <typename Enum, typename Name, typename Find>
void expect_bijective(int count, Name name, Find find) {
  std::set<std::string_view> seen;
  for (int i = 0; i < count; ++i) {
    const auto value = static_cast<Enum>(i);
    EXPECT_FALSE(name(value).empty());
    EXPECT_TRUE(seen.insert(name(value)).second);
    EXPECT_EQ(find(name(value)), value);
  }
  EXPECT_EQ(find("no such name"), std::nullopt);
  EXPECT_EQ(find(""), std::nullopt);
}

TEST(Names, AreFoundAgain) {
  expect_bijective<Phase>(8, phase_name, find_phase);
  expect_bijective<OpKind>(5, op_kind_name, find_op_kind);
  expect_bijective<CollectiveKind>(kNumCollectiveKinds, collective_name, find_collective);
  expect_bijective<BufferKind>(6, buffer_kind_name, find_buffer_kind);
  expect_bijective<ScheduleKind>(4, schedule_name, find_schedule);
  expect_bijective<Precision>(5, precision_name, find_precision);
  expect_bijective<CollectiveAlgorithm>(3, algorithm_name, find_algorithm);
  expect_bijective<Offload>(4, offload_name, find_offload);
  expect_bijective<Axis>(kNumAxes, axis_name, find_axis);
  std::set<std::string_view> groups;
  for (int i = 0; i < kNumKernelGroups; ++i) {
    EXPECT_TRUE(groups.insert(kernel_group_name(static_cast<KernelGroup>(i))).second);
  }
  expect_bijective<Fidelity>(5, fidelity_name, find_fidelity);
}

TEST(Names, OfCompression) {
  for (const char* name : {"none", "bf16", "fp8", "int8", "int4", "topk:0.01", "topk:1e-05", "topk:0.5",
                           "powersgd:1", "powersgd:1024"}) {
    const auto compression = find_compression(name);
    ASSERT_TRUE(compression) << name;
    EXPECT_EQ(compression_name(*compression), name);
    EXPECT_EQ(compression->is_lossy(), *compression != Compression{});
  }
  for (const char* name :
       {"", "gzip", "none:1", "int8:2", "topk", "topk:", "topk:0", "topk:1", "topk:-0.1", "topk:nan",
        "topk:0.1:2", "powersgd", "powersgd:0", "powersgd:1025", "powersgd:2.5", "powersgd:4 "}) {
    EXPECT_EQ(find_compression(name), std::nullopt) << name;
  }
  Strategy strategy;
  strategy.gradient_aggregation.compression = find_compression("powersgd:4").value();
  EXPECT_EQ(short_name(strategy), "tp1 pp1 dp1 mb1 1f1b none powersgd:4 (lossy)");
}

TEST(Names, OfRecomputation) {
  Strategy strategy;
  for (const char* name : {"none", "selective", "full"}) {
    const auto set = find_recompute(name);
    ASSERT_TRUE(set);
    strategy.recompute.all_layers = *set;
    EXPECT_EQ(recompute_name(strategy), name);
  }
  strategy.recompute.layers_per_group = 4;
  EXPECT_EQ(recompute_name(strategy), "uniform:4");
  strategy.recompute.layers_per_group = 1;
  EXPECT_EQ(find_recompute("norm1+qkv"), std::nullopt);
  strategy.recompute.all_layers = RecomputeSet(3);
  EXPECT_EQ(recompute_name(strategy), "norm1+qkv");
  strategy.recompute = {.all_layers = {}, .per_layer = {recompute_selective()}};
  EXPECT_EQ(recompute_name(strategy), "selective:");
  strategy.recompute.per_layer = {recompute_none(), RecomputeSet(3), RecomputeSet(3), recompute_full()};
  EXPECT_EQ(recompute_name(strategy), "none:norm1+qkv*2:full");
}

// What is recomputed in each layer names the rule that gives it, for the stages of the strategy.
TEST(Names, OfTheFirstLayersOfEachStage) {
  Strategy strategy;
  strategy.pipeline_parallel = 2;
  strategy.virtual_stages = 2;
  const RecomputeSet full = recompute_full();
  const RecomputeSet none = recompute_none();
  // Stages of 2, 3, 3 and 2 layers.
  const std::vector<std::int32_t> layers = {2, 3, 3, 2};
  ASSERT_EQ(layers_of_stages(10, strategy), layers);
  EXPECT_EQ(recompute_of(RecomputeBlock{1}, layers).per_layer,
            (std::vector{full, none, full, none, none, full, none, none, full, none}));
  EXPECT_EQ(recompute_of(RecomputeBlock{2}, layers).per_layer,
            (std::vector{full, full, full, full, none, full, full, none, full, full}));
  for (const std::int32_t first : {1, 2}) {
    strategy.recompute = recompute_of(RecomputeBlock{first}, layers);
    EXPECT_EQ(recompute_name(strategy), "block:" + std::to_string(first));
  }
  // All layers or none are no list.
  strategy.recompute = recompute_of(RecomputeBlock{3}, layers);
  EXPECT_EQ(recompute_name(strategy), "full");
  strategy.recompute = recompute_of(RecomputeBlock{0}, layers);
  EXPECT_EQ(recompute_name(strategy), "none");
  // Another division into stages makes another list of the same rule.
  strategy.recompute = recompute_of(RecomputeBlock{1}, layers);
  strategy.layers_per_stage = {5, 2, 2, 1};
  EXPECT_EQ(recompute_name(strategy), "full:none:full:none*2:full:none*2:full:none");
  strategy.layers_per_stage = {0, 7, 3, 0};
  strategy.recompute = recompute_of(RecomputeBlock{2}, strategy.layers_per_stage);
  EXPECT_EQ(recompute_name(strategy), "block:2");
  // Stages that do not make up the layers have no rule.
  strategy.layers_per_stage = {5, -1, 3, 3};
  EXPECT_EQ(recompute_name(strategy), "full*2:none*5:full*2:none");
}

TEST(Names, OfStrategiesLeaveOutDefaults) {
  const Scenario scenario = gpt3_scenario();
  Strategy strategy = sample_strategy(scenario, {.tensor = 8, .pipeline = 8, .data = 8});
  EXPECT_EQ(short_name(strategy), "tp8 pp8 dp8 mb1 1f1b none");
  strategy.zero_stage = 1;
  strategy.recompute.all_layers = recompute_full();
  strategy.schedule = ScheduleKind::kGPipe;
  EXPECT_EQ(short_name(strategy), "tp8 pp8 dp8 mb1 gpipe full zero1");
  strategy.axis_order = {Axis::kTensor, Axis::kContext, Axis::kExpert, Axis::kPipeline, Axis::kData};
  strategy.layers_per_stage = {10, 12};
  EXPECT_EQ(short_name(strategy), "tp8 pp8 dp8 mb1 gpipe full zero1 order tensor pipeline data layers=10:12");
  strategy.expert_parallel = 2;
  strategy.axis_order = {Axis::kExpert, Axis::kTensor, Axis::kContext, Axis::kData, Axis::kPipeline};
  EXPECT_EQ(short_name(strategy),
            "tp8 pp8 dp8 mb1 gpipe full ep2 zero1 order expert tensor data pipeline layers=10:12");
  strategy.axis_order = Strategy{}.axis_order;
  strategy.schedule = ScheduleKind::kInterleaved;
  strategy.virtual_stages = 3;
  EXPECT_EQ(short_name(strategy), "tp8 pp8 dp8 mb1 interleaved v3 full ep2 zero1 layers=10:12");
}

}  // namespace
}  // namespace portolan
