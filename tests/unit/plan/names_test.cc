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
  expect_bijective<OpKind>(4, op_kind_name, find_op_kind);
  expect_bijective<CollectiveKind>(3, collective_name, find_collective);
  expect_bijective<BufferKind>(6, buffer_kind_name, find_buffer_kind);
  expect_bijective<ScheduleKind>(4, schedule_name, find_schedule);
  expect_bijective<Precision>(5, precision_name, find_precision);
  expect_bijective<CollectiveAlgorithm>(3, algorithm_name, find_algorithm);
  expect_bijective<Axis>(kNumAxes, axis_name, find_axis);
  expect_bijective<Fidelity>(5, fidelity_name, find_fidelity);
}

TEST(Names, OfRecomputation) {
  for (const char* name : {"none", "selective", "full"}) {
    const auto set = find_recompute(name);
    ASSERT_TRUE(set);
    EXPECT_EQ(recompute_name({.all_layers = *set, .per_layer = {}}), name);
  }
  EXPECT_EQ(find_recompute("custom"), std::nullopt);
  EXPECT_EQ(recompute_name({.all_layers = RecomputeSet(3), .per_layer = {}}), "custom");
  EXPECT_EQ(recompute_name({.all_layers = {}, .per_layer = {recompute_none()}}), "custom");
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
}

}  // namespace
}  // namespace portolan
