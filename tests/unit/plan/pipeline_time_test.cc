#include "plan/pipeline_time.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace portolan {
namespace {

struct StagePass {
  ChunkPass pass;
  Seconds send;
};

double time_s(const std::vector<StagePass>& stages, const PipelineShape& shape) {
  PipelinePasses passes;
  for (const StagePass& stage : stages) {
    passes.chunks.push_back(stage.pass);
    passes.sends.push_back(stage.send);
  }
  const std::vector<Seconds> ends = pipeline_ends(passes, shape);
  return std::max_element(ends.begin(), ends.end())->value;
}
StagePass pass(double forward, double backward, double send) {
  return {{Seconds(forward), Seconds(backward)}, Seconds(send)};
}

constexpr auto kGPipe = ScheduleKind::kGPipe;
constexpr auto kOneFOneB = ScheduleKind::kOneFOneB;

TEST(PipelineTime, OfOneStageIsItsPasses) {
  for (const ScheduleKind schedule : {kGPipe, kOneFOneB}) {
    EXPECT_DOUBLE_EQ(time_s({pass(1, 2, 0)}, {schedule, 1, false}), 3);
    EXPECT_DOUBLE_EQ(time_s({pass(1, 2, 0)}, {schedule, 5, true}), 15);
  }
}

TEST(PipelineTime, OfOneMicrobatchIsAPathThereAndBack) {
  // Forward 1 + 10 + 3, backward 6 + 10 + 2.
  for (const ScheduleKind schedule : {kGPipe, kOneFOneB}) {
    EXPECT_DOUBLE_EQ(time_s({pass(1, 2, 10), pass(3, 6, 0)}, {schedule, 1, false}), 32);
  }
}

TEST(PipelineTime, OfGPipeByHand) {
  // Stages f 1, 1; b 2, 2; send 0.5; 3 microbatches. Non-blocking: stage 1 takes receive 0.5 + 1 a
  // microbatch, stage 0 in backward 0.5 + 2. Fill 2 x 3 + 2 x 0.5 = 7, then 2 x (1.5 + 2.5) = 8.
  EXPECT_DOUBLE_EQ(time_s({pass(1, 2, 0.5), pass(1, 2, 0)}, {kGPipe, 3, false}), 15);
  // A slow first stage hides the receives of the second, unless it must wait for its own sends: forward rate
  // 3 or 3.5.
  EXPECT_DOUBLE_EQ(time_s({pass(3, 2, 0.5), pass(1, 2, 0)}, {kGPipe, 3, false}), 9 + 2 * (3 + 2.5));
  EXPECT_DOUBLE_EQ(time_s({pass(3, 2, 0.5), pass(1, 2, 0)}, {kGPipe, 3, true}), 9 + 2 * (3.5 + 2.5));
}

TEST(PipelineTime, OfOneFOneBWithAHeavyFirstStage) {
  // f 13, 1; b 26, 2; 2 microbatches: stage 0 runs F0 F1 B0 B1. Its B0 has long come back (13 + 3 < 26): 2
  // x 39.
  EXPECT_DOUBLE_EQ(time_s({pass(13, 26, 0), pass(1, 2, 0)}, {kOneFOneB, 2, false}), 78);
  // With two more light stages behind, stage 1 turns round only after F1, which leaves stage 0 at 26: B0 is
  // back at 26 + (1 + 1) + (2 + 2). Stage 1's order is F0 F1 B0 B1 and stage 2's F0 B0 F1 B1; B0 of stage 2
  // is done at 13 + 1 + 1 + 2 = 17, so that B0 of stage 1 runs 27 to 29 and stage 0's from 29: 29 + 52.
  EXPECT_DOUBLE_EQ(time_s({pass(13, 26, 0), pass(1, 2, 0), pass(1, 2, 0)}, {kOneFOneB, 2, false}), 81);
}

TEST(PipelineTime, OfStagesThatInterleave) {
  // Chunks f 1, b 2 but the first, f 4, b 8. F0.0 F1.0 on stage 0 until 8, so that F1.0 on stage 1 ends at 9;
  // F1.1 there waits for stage 0: F0.1 8 to 9, F1.1 9 to 10. Stage 1: F0.1 9 to 10 and B0.1 until 12, F1.1
  // and B1.1 until 15, B0.0 from 14 on stage 0's B0.1 12 to 14, hence 15 to 17, B1.0 17 to 19. Stage 0: B1.1
  // 15 to 17, B0.0 17 to 25, B1.0 until 33.
  const ChunkPass light{Seconds(1), Seconds(2)}, heavy{Seconds(4), Seconds(8)};
  PipelinePasses passes{
      .chunks = {heavy, light, light, light}, .sends = {Seconds(0), Seconds(0)}, .alike_between_ends = true};
  const PipelineShape shape{ScheduleKind::kInterleaved, 2, false, 2};
  EXPECT_DOUBLE_EQ(pipeline_ends(passes, shape).front().value, 33);
  EXPECT_DOUBLE_EQ(pipeline_ends(passes, shape).back().value, 25);
}

}  // namespace
}  // namespace portolan
