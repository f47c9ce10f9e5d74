#include "report/run_forecast_report.h"

#include <gtest/gtest.h>

#include <string>

namespace portolan {
namespace {

RunForecast forecast() {
  RunForecast run;
  run.num_gpus = 8;
  run.num_steps = 95'368;
  run.time_s = {.p50 = 43.75 * 86400, .p90 = 47.5 * 86400};
  run.expected = {.work = Seconds(3'600'000)};
  run.goodput_pct = 100;
  return run;
}

TEST(RunForecastReport, WhatIsNotKnownIsSaid) {
  Scenario scenario;
  scenario.training_run = TrainingRun{.tokens = 300'000'000'000};
  EXPECT_EQ(run_forecast_text(forecast(), scenario, 80),
            "300 billion tokens: 95,368 steps; no failures (training_run gives none)\n"
            "no checkpoints counted (training_run gives no time or no interval)\n"
            "training run        P50        P90\n"
            "------------  ---------  ---------\n"
            "time          43.8 days  47.5 days\n"
            "energy, MWh     unknown    unknown\n"
            "cost            unknown    unknown\n");
}

TEST(RunForecastReport, FailuresCheckpointsDatesAndMoney) {
  Scenario scenario;
  scenario.training_run = TrainingRun{.tokens = 1'500'000'000'000,
                                      .start = parse_date("2027-01-01").value(),
                                      .deadline = Seconds(45 * 86400.0),
                                      .budget = 1e6};
  RunForecast run = forecast();
  run.mtbf = Seconds(3 * 3600);
  run.checkpoints = CheckpointPlan{.size = Bytes(2 * kGibi),
                                   .time = Seconds(5),
                                   .interval = Seconds(900),
                                   .steps = 25,
                                   .is_optimum = true};
  run.expected = {.work = Seconds(80),
                  .checkpoints = Seconds(10),
                  .lost = Seconds(6),
                  .restarts = Seconds(4),
                  .num_failures = 350.4};
  run.goodput_pct = 80;
  run.energy_j = Likely{3.6e9 * 185, 3.6e9 * 1200};
  run.cost = Likely{950'000, 1'050'000.4};
  run.deadline_probability_pct = 71.25;
  run.within_budget = false;
  EXPECT_EQ(run_forecast_text(run, scenario, 80),
            "1.5 trillion tokens: 95,368 steps; a failure every 3.0 h on average, 350 in all\n"
            "checkpoints every 15.0 min (25 steps, Daly's optimum), 2.000 GiB, 5.000 s each\n"
            "training run         P50         P90\n"
            "------------  ----------  ----------\n"
            "time           43.8 days   47.5 days\n"
            "done by       2027-02-14  2027-02-18\n"
            "energy, MWh          185       1,200\n"
            "cost             950,000   1,050,000\n"
            "goodput 80.0%: checkpoints 10.0%, work lost to failures 6.0%, restarts 4.0%\n"
            "deadline of 45.0 days (2027-02-15): kept with a probability of 71.2%\n"
            "budget of 1,000,000: not enough in 90% of cases\n");
}

TEST(RunForecastReport, DurationsInTheUnitThatFits) {
  EXPECT_EQ(format_duration(Seconds(3 * 86400)), "3.0 days");
  EXPECT_EQ(format_duration(Seconds(86400)), "24.0 h");
  EXPECT_EQ(format_duration(Seconds(5400)), "90.0 min");
  EXPECT_EQ(format_duration(Seconds(100)), "100.0 s");
}

}  // namespace
}  // namespace portolan
