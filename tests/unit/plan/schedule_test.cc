#include "plan/schedule.h"

#include <gtest/gtest.h>

namespace portolan {
namespace {

struct Row {
  ScheduleKind schedule;
  PipelinePosition position;  ///< stage, stages, microbatches
  const char* order;
};

TEST(Schedule, OrdersOfSmallPipelines) {
  using enum ScheduleKind;
  const std::vector<Row> table = {
      {kGPipe, {0, 1, 1}, "F0 B0"},
      {kGPipe, {0, 2, 3}, "F0 F1 F2 B0 B1 B2"},
      {kGPipe, {1, 2, 3}, "F0 F1 F2 B0 B1 B2"},
      {kOneFOneB, {0, 1, 1}, "F0 B0"},
      {kOneFOneB, {0, 1, 3}, "F0 B0 F1 B1 F2 B2"},
      {kOneFOneB, {0, 2, 3}, "F0 F1 B0 F2 B1 B2"},
      {kOneFOneB, {1, 2, 3}, "F0 B0 F1 B1 F2 B2"},
      // Narayanan et al. 2021, figure 4 (top): 4 stages, 8 microbatches.
      {kOneFOneB, {0, 4, 8}, "F0 F1 F2 F3 B0 F4 B1 F5 B2 F6 B3 F7 B4 B5 B6 B7"},
      {kOneFOneB, {2, 4, 8}, "F0 F1 B0 F2 B1 F3 B2 F4 B3 F5 B4 F6 B5 F7 B6 B7"},
      {kOneFOneB, {3, 4, 8}, "F0 B0 F1 B1 F2 B2 F3 B3 F4 B4 F5 B5 F6 B6 F7 B7"},
      // Fewer microbatches than stages: the warm-up ends with them.
      {kOneFOneB, {0, 4, 2}, "F0 F1 B0 B1"},
      {kOneFOneB, {2, 4, 2}, "F0 F1 B0 B1"},
      {kOneFOneB, {3, 4, 2}, "F0 B0 F1 B1"},
  };
  for (const Row& row : table) {
    EXPECT_EQ(format_order(pass_order(row.schedule, row.position)), row.order);
  }
}

TEST(Schedule, BackwardFollowsAtOnceOnTheLastStageOnly) {
  const auto follows = [](ScheduleKind schedule, std::int32_t stage, std::int32_t microbatches,
                          std::int32_t chunk, std::int32_t chunks) {
    return backward_follows_at_once(schedule, {stage, 2, microbatches, chunks}, chunk);
  };
  EXPECT_TRUE(follows(ScheduleKind::kOneFOneB, 1, 4, 0, 1));
  EXPECT_FALSE(follows(ScheduleKind::kOneFOneB, 0, 4, 0, 1));
  EXPECT_TRUE(follows(ScheduleKind::kOneFOneB, 0, 1, 0, 1));  // there is nothing else to do
  EXPECT_TRUE(follows(ScheduleKind::kZeroBubbleH1, 1, 4, 0, 1));
  EXPECT_FALSE(follows(ScheduleKind::kGPipe, 1, 4, 0, 1));
  EXPECT_TRUE(follows(ScheduleKind::kInterleaved, 1, 4, 1, 2));
  EXPECT_FALSE(follows(ScheduleKind::kInterleaved, 1, 4, 0, 2));
  EXPECT_FALSE(follows(ScheduleKind::kInterleaved, 0, 4, 1, 2));
}

}  // namespace
}  // namespace portolan
