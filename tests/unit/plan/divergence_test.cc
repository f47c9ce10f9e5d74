#include "plan/divergence.h"

#include <gtest/gtest.h>

namespace portolan {
namespace {

std::vector<Seconds> seconds(std::initializer_list<double> values) {
  std::vector<Seconds> list;
  for (const double value : values) {
    list.emplace_back(value);
  }
  return list;
}

TEST(Median, OfOddEvenAndNoTimes) {
  EXPECT_EQ(median({}), Seconds(0));
  EXPECT_EQ(median(seconds({3})), Seconds(3));
  EXPECT_EQ(median(seconds({5, 1, 3})), Seconds(3));
  EXPECT_EQ(median(seconds({4, 1, 3, 2})), Seconds(2.5));
}

TEST(Median, AbsoluteDeviationIgnoresOneOutlier) {
  EXPECT_EQ(median_absolute_deviation({}), Seconds(0));
  EXPECT_EQ(median_absolute_deviation(seconds({7, 7, 7})), Seconds(0));
  // Median 3; deviations 2 1 0 1 97, whose median is 1.
  EXPECT_EQ(median_absolute_deviation(seconds({1, 2, 3, 4, 100})), Seconds(1));
  // Median 2.5; deviations 1.5 0.5 0.5 1.5, whose median is 1.
  EXPECT_EQ(median_absolute_deviation(seconds({1, 2, 3, 4})), Seconds(1));
}

RunRecord record() {
  RunRecord made;
  made.predicted.step_time = Seconds(1.1);
  made.step_times = seconds({1.0, 0.9, 1.0, 1.2, 1.0});
  made.by_kind = {{.kind = "linear_forward", .predicted = Seconds(0.3), .measured = Seconds(0.4)},
                  {.kind = "adamw", .predicted = Seconds(0.1), .measured = Seconds(0)}};
  made.memory = {{.rank = 1, .predicted_live = Bytes(110), .live = Bytes(100), .arena = {}, .rss = {}},
                 {.rank = 0, .predicted_live = Bytes(5), .live = Bytes(0), .arena = {}, .rss = {}}};
  made.valid = true;
  return made;
}

TEST(Divergence, IsPositiveWhereThePredictionIsTooSlow) {
  const Divergence divergence = divergence_of(record());
  EXPECT_EQ(divergence.step.predicted, Seconds(1.1));
  EXPECT_EQ(divergence.step.measured, Seconds(1.0));
  EXPECT_NEAR(*divergence.step.divergence_pct, 10, 1e-9);
  // Deviations 0 0.1 0 0.2 0: the median is none.
  EXPECT_EQ(divergence.step.noise_pct, 0);
  ASSERT_EQ(divergence.by_kind.size(), 2U);
  EXPECT_EQ(divergence.by_kind[0].kind, "linear_forward");
  EXPECT_NEAR(*divergence.by_kind[0].divergence_pct, -25, 1e-9);
  EXPECT_EQ(divergence.by_kind[1].divergence_pct, std::nullopt);  // nothing was measured
  ASSERT_EQ(divergence.memory.size(), 2U);
  EXPECT_EQ(divergence.memory[0].rank, 1);
  EXPECT_NEAR(*divergence.memory[0].divergence_pct, 10, 1e-9);
  EXPECT_EQ(divergence.memory[1].divergence_pct, std::nullopt);
  EXPECT_TRUE(divergence.valid);
}

TEST(Divergence, NoiseIsTheMedianDeviationOverTheMedian) {
  RunRecord noisy = record();
  noisy.step_times = seconds({1.8, 2.0, 2.4, 1.9, 2.2});  // median 2.0; deviations 0.2 0 0.4 0.1 0.2
  noisy.valid = false;
  noisy.invalid_reason = "ranks shared a core";
  const Divergence divergence = divergence_of(noisy);
  EXPECT_NEAR(divergence.step.noise_pct, 10, 1e-9);
  EXPECT_NEAR(*divergence.step.divergence_pct, -45, 1e-9);
  EXPECT_FALSE(divergence.valid);
  EXPECT_EQ(divergence.invalid_reason, "ranks shared a core");
}

TEST(Divergence, OfARunWithoutStepsHasNoFigure) {
  RunRecord empty = record();
  empty.step_times.clear();
  const Divergence divergence = divergence_of(empty);
  EXPECT_EQ(divergence.step.divergence_pct, std::nullopt);
  EXPECT_EQ(divergence.step.noise_pct, 0);
}

}  // namespace
}  // namespace portolan
