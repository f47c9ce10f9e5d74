#include "plan/interrupted_work.h"

#include <gtest/gtest.h>

#include <cmath>

namespace portolan {
namespace {

constexpr double kMinute = 60;
constexpr double kHour = 3600;

// Published: Daly 2006, figures 3 to 5, checkpoints of 5 minutes.
TEST(OptimumCheckpointInterval, IsThePublishedOne) {
  const auto minutes = [](double mtbf_s) {
    return optimum_checkpoint_interval(Seconds(5 * kMinute), Seconds(mtbf_s)).value / kMinute;
  };
  EXPECT_NEAR(minutes(24 * kHour), 117, 0.5);
  EXPECT_NEAR(minutes(6 * kHour), 57, 0.5);
  EXPECT_NEAR(minutes(15 * kMinute), 9.1, 0.05);
}

TEST(OptimumCheckpointInterval, IsTheMeanTimeBetweenFailuresWhereCheckpointsTakeTwiceAsLong) {
  EXPECT_EQ(optimum_checkpoint_interval(Seconds(20), Seconds(10)), Seconds(10));
  EXPECT_EQ(optimum_checkpoint_interval(Seconds(0), Seconds(10)), Seconds(0));
}

TEST(ExpectedTime, OfWorkThatNothingInterrupts) {
  const CheckpointedWork work{.work = Seconds(1000), .num_checkpoints = 4, .checkpoint = Seconds(5)};
  const ExpectedTime time = expected_time(work, {});
  EXPECT_EQ(time.total(), Seconds(1020));
  EXPECT_EQ(time.num_failures, 0);
}

// One piece of 90 s and a checkpoint of 10 s, failures every 100 s, no restart: 100 (e - 1) s, of which the
// failures, e - 1 on average, cost what is over 100.
TEST(ExpectedTime, OfOnePieceByHand) {
  const CheckpointedWork work{.work = Seconds(90), .num_checkpoints = 1, .checkpoint = Seconds(10)};
  const ExpectedTime time = expected_time(work, {.mtbf = Seconds(100)});
  EXPECT_NEAR(time.total().value, 100 * (std::exp(1) - 1), 1e-9);
  EXPECT_NEAR(time.num_failures, std::exp(1) - 1, 1e-12);
  EXPECT_EQ(time.restarts, Seconds(0));
  EXPECT_NEAR(time.lost.value, 100 * (std::exp(1) - 1) - 100, 1e-9);
}

// Daly 2006, complete cost function.
TEST(ExpectedTime, IsThePublishedFormula) {
  for (const double mtbf : {10.0, 500.0, 1e5, 1e9}) {
    for (const double restart : {0.0, 3.0, 40.0}) {
      const CheckpointedWork work{.work = Seconds(600), .num_checkpoints = 30, .checkpoint = Seconds(2)};
      const double expected = 30 * mtbf * std::exp(restart / mtbf) * std::expm1(22 / mtbf);
      const ExpectedTime time = expected_time(work, {.mtbf = Seconds(mtbf), .restart = Seconds(restart)});
      EXPECT_NEAR(time.total().value / expected, 1, 1e-6) << mtbf << " " << restart;
    }
  }
}

// Where failures are rare each undoes half a piece on average.
TEST(FailureDelay, OfRareFailures) {
  const CheckpointedWork work{.work = Seconds(1000), .num_checkpoints = 10, .checkpoint = Seconds(0)};
  const FailureDelay delay = failure_delay(work, {.mtbf = Seconds(1e7), .restart = Seconds(30)});
  EXPECT_NEAR(delay.none_probability, 1 - 1e-4, 1e-8);
  EXPECT_NEAR(delay.mean, 50 + 30, 0.02);
  EXPECT_NEAR(delay.variance, 100.0 * 100 / 12, 2);  // uniform over a piece
}

}  // namespace
}  // namespace portolan
