#include "plan/run_forecast.h"

#include <gtest/gtest.h>

#include <cmath>

#include "sample_scenarios.h"

namespace portolan {
namespace {

/// 256 tokens a step (16 sequences of 16), 4 GPUs on one of two nodes, 1,000 steps.
Scenario scenario_of(const TrainingRun& run) {
  Scenario scenario = tiny_scenario(4);
  scenario.training_run = run;
  return scenario;
}

Estimate step_of(double seconds) {
  Estimate estimate;
  estimate.step_time = Seconds(seconds);
  estimate.energy = Joules(400 * seconds);  // 100 W a GPU
  return estimate;
}

RunForecast forecast(const TrainingRun& run, double half_width = 0) {
  return forecast_run(scenario_of(run), step_of(2), ErrorMargin{.half_width = half_width}).value();
}

TEST(RunForecast, StepsAreTokensOverTheBatch) {
  EXPECT_EQ(forecast({.tokens = 256'000}).num_steps, 1000);
  EXPECT_EQ(forecast({.tokens = 256'001}).num_steps, 1001);
  EXPECT_EQ(forecast({.tokens = 1}).num_steps, 1);
}

TEST(RunForecast, WithoutFailuresAndErrorItIsItsSteps) {
  const RunForecast run = forecast({.tokens = 256'000});
  EXPECT_NEAR(run.time_s.p50, 2000, 1e-3);
  EXPECT_NEAR(run.time_s.p90, 2000, 1e-3);
  EXPECT_EQ(run.goodput_pct, 100);
  EXPECT_FALSE(run.checkpoints);
  EXPECT_EQ(run.mtbf, Seconds(0));
  EXPECT_NEAR(run.energy_j->p50, 2000 * 400, 1);
  EXPECT_FALSE(run.cost) << "no price";
  EXPECT_FALSE(run.deadline_probability_pct);
}

// Half-width h: nine of ten within exp(-h) and exp(h), so that the 90 % quantile is exp(h 1.2816 / 1.6449).
TEST(RunForecast, TheStepsErrorIsThatOfAllSteps) {
  const RunForecast run = forecast({.tokens = 256'000}, 0.2);
  EXPECT_NEAR(run.time_s.p50, 2000, 1e-3);
  EXPECT_NEAR(run.time_s.p90, 2000 * std::exp(0.2 * 1.28155 / 1.64485), 0.1);
}

TEST(RunForecast, FailuresOfGpusAndOfNodesAddUpOverTheJob) {
  TrainingRun run{.tokens = 256'000, .restart_time = Seconds(10), .checkpoint_time = Seconds(1)};
  run.gpu_mtbf = Sourced<Seconds>{Seconds(4000), "told"};
  EXPECT_EQ(forecast(run).mtbf, Seconds(1000));
  run.gpu_mtbf.reset();
  run.node_mtbf = Sourced<Seconds>{Seconds(4000), "told"};
  EXPECT_EQ(forecast(run).mtbf, Seconds(4000)) << "four GPUs are one node";
}

// Daly's interval for checkpoints of 1 s and failures every 1,000 s is 44.0 s: 22 steps of 2 s.
TEST(RunForecast, CheckpointsAreWholeStepsApart) {
  TrainingRun run{.tokens = 256'000, .restart_time = Seconds(10), .checkpoint_time = Seconds(1)};
  run.gpu_mtbf = Sourced<Seconds>{Seconds(4000), "told"};
  const RunForecast optimum = forecast(run);
  ASSERT_TRUE(optimum.checkpoints);
  EXPECT_TRUE(optimum.checkpoints->is_optimum);
  EXPECT_EQ(optimum.checkpoints->steps, 22);
  EXPECT_EQ(optimum.expected.checkpoints, Seconds(46)) << "46 pieces of at most 22 steps";
  run.checkpoint_interval = Seconds(500);
  const RunForecast asked = forecast(run);
  EXPECT_EQ(asked.checkpoints->steps, 250);
  EXPECT_LT(optimum.expected.total(), asked.expected.total());
  EXPECT_LT(optimum.time_s.p50, optimum.time_s.p90);
  EXPECT_LT(optimum.goodput_pct, 100);
}

TEST(RunForecast, CheckpointsAreWrittenAtTheBandwidth) {
  const TrainingRun run{
      .tokens = 256'000, .checkpoint_bandwidth = BytesPerSecond(1e6), .checkpoint_interval = Seconds(200)};
  const Scenario scenario = scenario_of(run);
  // fp32: four bytes of each parameter and the profile's eight of the optimizer.
  EXPECT_EQ(checkpoint_size(scenario).value, 12 * num_parameters(scenario.model));
  const RunForecast known = forecast(run);
  EXPECT_NEAR(known.checkpoints->time.value, 12e-6 * static_cast<double>(num_parameters(scenario.model)),
              1e-12);
  EXPECT_NEAR(known.time_s.p50, 2000 + 10 * known.checkpoints->time.value, 1e-3);
}

TEST(RunForecast, MoneyEnergyAndDeadlines) {
  Scenario scenario = scenario_of(
      {.tokens = 256'000, .deadline = Seconds(2000), .power_usage_effectiveness = 1.5, .budget = 8.0});
  scenario.hardware.price_per_gpu_hour.value = 3.6;
  const RunForecast run = forecast_run(scenario, step_of(2), ErrorMargin{.half_width = 0.2}).value();
  EXPECT_NEAR(run.cost->p50, 2000 * 4 * 3.6 / 3600, 1e-5);
  EXPECT_NEAR(run.energy_j->p50, 1.5 * 400 * 2000, 1);
  EXPECT_NEAR(*run.deadline_probability_pct, 50, 1e-3);
  EXPECT_EQ(run.within_budget, false) << "8.0 in half of the cases, more in nine of ten";
}

TEST(RunForecast, ARunThatHardlyAdvancesIsRefused) {
  TrainingRun run{.tokens = 256'000,
                  .restart_time = Seconds(100),
                  .checkpoint_time = Seconds(100),
                  .checkpoint_interval = Seconds(500)};
  run.gpu_mtbf = Sourced<Seconds>{Seconds(40), "told"};
  const Result<RunForecast> refused = forecast_run(scenario_of(run), step_of(2), std::nullopt);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInfeasible);
  EXPECT_NE(refused.error().message.find("over 1000 times"), std::string::npos) << refused.error().message;
}

}  // namespace
}  // namespace portolan
