#include "report/degraded_report.h"

#include <gtest/gtest.h>

namespace portolan {
namespace {

/// Two stages of two replicas of two ranks; rank 4's group computes 2 s longer, of which the step feels 1.5
/// s.
DegradedStep slow_step() {
  DegradedStep degraded;
  degraded.healthy = Seconds(10);
  degraded.step.estimate.step_time = Seconds(11.5);
  degraded.healthy_ranks = {{0, 0, Seconds(8)}, {2, 1, Seconds(8)}, {4, 0, Seconds(8)}, {6, 1, Seconds(8)}};
  degraded.step.ranks = degraded.healthy_ranks;
  degraded.step.ranks[2].compute = Seconds(10);
  return degraded;
}

TEST(DegradedReport, SaysWhoComputesAndWhoWaits) {
  Scenario scenario;
  scenario.hardware.condition = {{ImpairmentKind::kSlowGpu, "node0.gpu5", 0.8}};
  const std::optional<RunForecast> no_forecast;
  const std::vector<std::string> events = {"slow-link node0.nic1->pod0.leaf1 50% at 1 s"};
  EXPECT_EQ(degraded_text(
                slow_step(),
                {.scenario = scenario, .events = events, .ranks_together = 2, .forecast = no_forecast}, 80),
            "wrong all the time: slow-gpu node0.gpu5 0.8\n"
            "event: slow-link node0.nic1->pod0.leaf1 50% at 1 s\n"
            "healthy step: 10.00 s; so it takes 11.50 s: +1.500 s (+15.0%)\n"
            "\n"
            "longer than in the healthy step, on average of the ranks\n"
            "ranks          stages  computing    waiting\n"
            "-------------  ------  ---------  ---------\n"
            "4-5            0        +2.000 s  -500.0 ms\n"
            "0-1, 2-3, 6-7  0-1             0   +1.500 s\n");
}

TEST(DegradedReport, SaysWhatAStoppedJobLoses) {
  DegradedStep degraded = slow_step();
  degraded.stop = JobStop{.event = 0, .at = Seconds(2), .step_time_after = Seconds(10.5), .no_restart = {}};
  Scenario scenario;
  scenario.training_run.emplace().restart_time = Seconds(900);
  std::optional<RunForecast> forecast = RunForecast{};
  forecast->checkpoints = CheckpointPlan{.size = {}, .time = Seconds(10), .interval = Seconds(3600)};
  const std::vector<std::string> events = {"failed-nic node0.nic1 at 1 s"};
  const DegradedStory story{
      .scenario = scenario, .events = events, .ranks_together = 2, .forecast = forecast};
  EXPECT_EQ(degraded_text(degraded, story, 80),
            "event: failed-nic node0.nic1 at 1 s\n"
            "healthy step: 10.00 s\n"
            "the job stops 2.000 s into the step: failed-nic node0.nic1 at 1 s\n"
            "lost: 2.000 s of this step,\n"
            "      and the work since the last checkpoint, 60.0 min at most, half of it on average\n"
            "then 15.0 min until the next step (restart_time)\n"
            "set up anew, a step takes 10.50 s: +500.0 ms (+5.0%) against the healthy one\n");
  degraded.stop->step_time_after.reset();
  degraded.stop->no_restart = "condition: no way from node0 to node1 is left";
  const std::string text = degraded_text(degraded, story, 80);
  EXPECT_NE(text.find("it cannot be set up anew: condition: no way from node0 to node1 is left\n"),
            std::string::npos);
}

}  // namespace
}  // namespace portolan
