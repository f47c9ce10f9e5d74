#include "plan/finalist_odds.h"

#include <gtest/gtest.h>

#include <cmath>

#include "sample_scenarios.h"

namespace portolan {
namespace {

Estimate finalist(double step_s, std::int64_t memory) {
  Estimate estimate;
  estimate.step_time = Seconds(step_s);
  estimate.peak_memory = Bytes(memory);
  return estimate;
}

PredictionMargins margins(double time, double memory) {
  return {.step_time = ErrorMargin{.half_width = time}, .memory = ErrorMargin{.half_width = memory}};
}

TEST(FinalistOdds, EqualOnesShareTheFirstPlace) {
  const Scenario scenario = gpt3_scenario();
  const std::vector<Estimate> ranking(4, finalist(2, 1));
  for (const FinalistOdds& odds : finalist_odds(scenario, ranking, margins(0.1, 0.1))) {
    EXPECT_NEAR(odds.best, 0.25, 1e-9);
    EXPECT_LT(odds.out_of_memory, 1e-9);
  }
}

// The difference of two normal variables is one too: of sqrt(2) times the deviation, which is the half width
// over 1.645.
TEST(FinalistOdds, OfTwoTheFasterOneWinsAsOftenAsTheirDifferenceSays) {
  const Scenario scenario = gpt3_scenario();
  for (const double slower : {1.01, 1.05, 1.2}) {
    const std::vector<FinalistOdds> odds =
        finalist_odds(scenario, {finalist(1, 1), finalist(slower, 1)}, margins(0.1, 0.1));
    const double deviation = 0.1 / 1.6448536;
    const double expected = 0.5 * std::erfc(-std::log(slower) / deviation / 2);
    EXPECT_NEAR(odds[0].best, expected, 1e-6);
    EXPECT_NEAR(odds[0].best + odds[1].best, 1, 1e-12);
  }
}

TEST(FinalistOdds, ARunOutOfMemoryIsAsLikelyAsTheMarginSays) {
  const Scenario scenario = gpt3_scenario();
  const auto there = static_cast<double>(scenario.hardware.device.memory.value.value);
  // As much as there is: half of the cases; a half width less: one of twenty, more: nineteen.
  for (const auto& [logarithm, expected] : {std::pair(0.0, 0.5), {-0.08, 0.05}, {0.08, 0.95}}) {
    const auto memory = static_cast<std::int64_t>(there * std::exp(logarithm));
    const auto odds = finalist_odds(scenario, {finalist(1, memory)}, margins(0.1, 0.08));
    EXPECT_NEAR(odds.front().out_of_memory, expected, 1e-6);
  }
}

TEST(FinalistOdds, WithoutMarginsTheFirstIsTheBest) {
  const auto odds = finalist_odds(gpt3_scenario(), {finalist(1, 1), finalist(1.5, 1)}, {});
  EXPECT_EQ(odds, (std::vector<FinalistOdds>{{.best = 1, .out_of_memory = 0}, {}}));
  EXPECT_TRUE(finalist_odds(gpt3_scenario(), {}, margins(0.1, 0.1)).empty());
}

}  // namespace
}  // namespace portolan
