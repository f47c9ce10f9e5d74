#include "plan/gpus_for_deadline.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "sample_scenarios.h"

namespace portolan {
namespace {

/// 1,000 steps on nodes of 4 GPUs, at most eight of them; the deadline in steps' seconds.
Scenario scenario_until(double deadline_s) {
  Scenario scenario = tiny_scenario(4);
  scenario.hardware.num_nodes = 8;
  scenario.hardware.nodes_per_pod = 8;
  scenario.training_run = TrainingRun{.tokens = 256'000, .deadline = Seconds(deadline_s)};
  return scenario;
}

/// Step times by GPUs, as each effort sees them; sizes that are not there have no strategy.
struct StepTimes {
  std::map<std::int64_t, double> full = {};
  double screened = 1;  ///< what the closed form sees, of that
  std::vector<std::int64_t> asked_in_full = {};

  ScenarioPlanner planner() {
    return [this](const Scenario& scenario, PlanningEffort effort) -> Result<Estimate> {
      const auto found = full.find(scenario.num_gpus);
      if (found == full.end()) {
        return infeasible("none");
      }
      const bool in_full = effort == PlanningEffort::kFull;
      if (in_full) {
        asked_in_full.push_back(scenario.num_gpus);
      }
      Estimate estimate;
      const bool is_screening = effort == PlanningEffort::kScreening;
      estimate.step_time = Seconds(found->second * (is_screening ? screened : 1));
      return estimate;
    };
  }
};

TEST(GpusForDeadline, TheFewestEvenWhereMoreAreSlower) {
  StepTimes times{.full = {{4, 8}, {8, 4}, {12, 6}, {16, 2.1}, {32, 1}}};
  const auto fewest = [&](double deadline_s) {
    return gpus_for_deadline(scenario_until(deadline_s), std::nullopt, times.planner()).value();
  };
  EXPECT_EQ(fewest(9000).smallest->forecast.num_gpus, 4);
  EXPECT_EQ(fewest(5000).smallest->forecast.num_gpus, 8);
  EXPECT_EQ(fewest(2200).smallest->forecast.num_gpus, 16);
  EXPECT_EQ(fewest(2000).smallest->forecast.num_gpus, 32);
  const DeadlineSize none = fewest(900);
  EXPECT_FALSE(none.smallest);
  EXPECT_EQ(none.soonest->forecast.num_gpus, 32);
  EXPECT_EQ(none.num_screened, 8);
}

TEST(GpusForDeadline, NoMoreThanTheJobHas) {
  StepTimes times{.full = {{4, 8}, {8, 4}, {32, 1}}};
  Scenario scenario = scenario_until(2000);
  scenario.job_nodes = {5, 2};
  const DeadlineSize size = gpus_for_deadline(scenario, std::nullopt, times.planner()).value();
  EXPECT_FALSE(size.smallest);
  EXPECT_EQ(size.num_screened, 2);
}

// With 4 GPUs 8 s a step are over 1.05 times 5 s, with 8 the closed form's 6 s are below 1.5 times.
TEST(GpusForDeadline, OnlySizesThatMayDoArePlannedInFull) {
  StepTimes times{.full = {{4, 8}, {8, 4}, {16, 1}}, .screened = 1.5};
  const DeadlineSize size = gpus_for_deadline(scenario_until(5000), std::nullopt, times.planner()).value();
  EXPECT_EQ(size.smallest->forecast.num_gpus, 8);
  EXPECT_EQ(times.asked_in_full, std::vector<std::int64_t>{8});
}

// A margin of 20 % counts: the 90 % quantile, not the median, keeps to the deadline.
TEST(GpusForDeadline, TheDeadlineIsKeptInNineOfTenCases) {
  StepTimes times{.full = {{4, 4.8}, {8, 4}}};
  const ErrorMargin margin{.half_width = 0.2};
  EXPECT_EQ(
      gpus_for_deadline(scenario_until(5000), margin, times.planner()).value().smallest->forecast.num_gpus,
      8);
}

TEST(GpusForDeadline, OtherErrorsAreTheCallers) {
  const ScenarioPlanner broken = [](const Scenario&, PlanningEffort) -> Result<Estimate> {
    return device_error("lost");
  };
  EXPECT_EQ(gpus_for_deadline(scenario_until(5000), std::nullopt, broken).error().message, "lost");
}

}  // namespace
}  // namespace portolan
