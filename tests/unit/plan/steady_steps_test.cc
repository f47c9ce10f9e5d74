#include "plan/steady_steps.h"

#include <gtest/gtest.h>

namespace portolan {
namespace {

std::vector<LoggedStep> steps_of(std::initializer_list<double> times) {
  std::vector<LoggedStep> steps;
  for (const double time : times) {
    steps.push_back({.step = static_cast<std::int64_t>(steps.size()), .time = Seconds(time)});
  }
  return steps;
}

TEST(SteadySteps, WhatTheLogMarksAndOutliersAreLeftOut) {
  std::vector<LoggedStep> steps = steps_of({14, 2, 1.00, 1.01, 0.99, 1.02, 0.5, 1.01, 1.0, 1.0, 1.0});
  steps[0].is_first = true;
  steps[7].after_pause = true;
  steps[8].was_skipped = true;
  steps[9].is_other_batch = true;
  // Of 2 1.00 1.01 0.99 1.02 0.5 1.0 the median is 1.00 and the median deviation 0.01: 6 x 0.0148 off is out.
  EXPECT_EQ(steady_steps(steps), (SteadySteps{.used = {2, 3, 4, 5, 10},
                                              .first = 1,
                                              .after_pause = 1,
                                              .skipped = 1,
                                              .other_batch = 1,
                                              .slow = 1,
                                              .fast = 1}));
}

TEST(SteadySteps, EqualTimesAreNotOutliersOfOneAnother) {
  // No deviation at all: 1.2 % off is still beyond 6 x 0.2 %, 1.1 % is not.
  EXPECT_EQ(steady_steps(steps_of({1, 1, 1, 1.011, 1.013})).used, (std::vector<std::int32_t>{0, 1, 2, 3}));
}

TEST(SteadySteps, AShortLogKeepsItsLastStep) {
  std::vector<LoggedStep> steps = steps_of({14, 9});
  steps[0].is_first = steps[1].is_first = true;
  EXPECT_EQ(steady_steps(steps), (SteadySteps{.used = {1}, .first = 1}));
  EXPECT_EQ(steady_steps({}), SteadySteps{});
}

}  // namespace
}  // namespace portolan
