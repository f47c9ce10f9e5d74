#include <gtest/gtest.h>

#include <algorithm>

#include "plan/schedule.h"
#include "small_programs.h"

namespace portolan {
namespace {

struct Tally {
  bool alternates = true;  ///< each microbatch forward once, then backward once
  std::int32_t peak_in_flight = 0;
};

Tally tally(const std::vector<Pass>& order, std::int32_t num_microbatches) {
  std::vector<int> state(static_cast<std::size_t>(num_microbatches),
                         0);  // 0 not begun, 1 forward done, 2 backward done
  Tally result;
  std::int32_t in_flight = 0;
  for (const Pass& pass : order) {
    const int expected = pass.direction == Pass::Direction::kForward ? 0 : 1;
    int& now = state[static_cast<std::size_t>(pass.microbatch)];
    result.alternates = result.alternates && now == expected;
    ++now;
    in_flight += expected == 0 ? 1 : -1;
    result.peak_in_flight = std::max(result.peak_in_flight, in_flight);
  }
  result.alternates =
      result.alternates && std::all_of(state.begin(), state.end(), [](int s) { return s == 2; });
  return result;
}

TEST(ScheduleProperty, EveryMicrobatchOnceEachWayAndTheInFlightPeakIsTheFormula) {
  for (const SmallPipeline& pipeline : small_pipelines(8, 16)) {
    for (std::int32_t s = 0; s < pipeline.num_stages; ++s) {
      const std::int32_t m = pipeline.num_microbatches;
      const auto order = pass_order(pipeline.schedule, {s, pipeline.num_stages, m});
      SCOPED_TRACE(format_order(order));
      const Tally result = tally(order, m);
      EXPECT_TRUE(result.alternates);
      const bool gpipe = pipeline.schedule == ScheduleKind::kGPipe;
      EXPECT_EQ(result.peak_in_flight, gpipe ? m : std::min(pipeline.num_stages - s, m));
    }
  }
}

TEST(ScheduleProperty, BackwardsOfAllStagesComeInOneOrder) {
  for (const SmallPipeline& pipeline : small_pipelines(8, 16)) {
    for (std::int32_t s = 0; s < pipeline.num_stages; ++s) {
      std::int32_t next_forward = 0;
      std::int32_t next_backward = 0;
      for (const Pass& pass :
           pass_order(pipeline.schedule, {s, pipeline.num_stages, pipeline.num_microbatches})) {
        std::int32_t& next = pass.direction == Pass::Direction::kForward ? next_forward : next_backward;
        EXPECT_EQ(pass.microbatch, next++);
      }
    }
  }
}

}  // namespace
}  // namespace portolan
