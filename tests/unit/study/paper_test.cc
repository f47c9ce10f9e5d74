#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>

#include "study/paper_gains.h"

namespace portolan {
namespace {

const CatalogPaths kPaths{{PORTOLAN_SOURCE_DIR "/scenarios"}};
const PaperQuestion kOneModel{.models = {"gpt3-175b"}, .central = "gpt3-175b", .all_parts = true};

void ignore(const PaperCase&, double) {}

ErrorMargin margin(double half_width) {
  return {.half_width = half_width, .basis = IntervalBasis::kNewSource};
}

PaperRun run_of(const std::string& planner, PaperSettings settings, double step_s, std::int64_t peak_bytes) {
  PaperRun run;
  run.row.model = "m";
  run.row.device = "80 GB";
  run.row.planner = planner;
  run.row.settings = settings;
  run.best.emplace();
  run.best->step_time = Seconds(step_s);
  run.best->peak_memory = Bytes(peak_bytes);
  return run;
}

TEST(PaperReduction, OfTwoPredictions) {
  EXPECT_DOUBLE_EQ(reduction_of(100, 62, {}, {}).pct, 38);
  EXPECT_DOUBLE_EQ(reduction_of(50, 60, {}, {}).pct, -20);
  const Reduction reduction = reduction_of(100, 62, margin(0.3), margin(0.4));  // together 0.5
  ASSERT_TRUE(reduction.interval);
  EXPECT_NEAR(reduction.interval->low, 100 * (1 - 0.62 * std::exp(0.5)), 1e-9);
  EXPECT_NEAR(reduction.interval->high, 100 * (1 - 0.62 * std::exp(-0.5)), 1e-9);
}

TEST(PaperReduction, ATieHasZeroInItsInterval) {
  EXPECT_TRUE(reduction_of(100, 62, margin(0.3), margin(0.4)).is_tie()) << "-2.2 to 62.4";
  EXPECT_FALSE(reduction_of(100, 62, margin(0.1), margin(0.1)).is_tie());
  EXPECT_TRUE(reduction_of(100, 101, margin(0.1), margin(0.1)).is_tie()) << "slower, but not told apart";
  EXPECT_FALSE(reduction_of(100, 100, {}, margin(0.1)).is_tie()) << "nothing is known of errors";
}

TEST(PaperGains, PortolansExactPlanAgainstWhatFits) {
  std::vector<PaperRun> runs = {run_of("megatron-2021", PaperSettings::kDefaults, 100, 50),
                                run_of("deepspeed-zero1", PaperSettings::kDefaults, 1, 1),
                                run_of("portolan-lossy", PaperSettings::kPortolan, 10, 10),
                                run_of("portolan", PaperSettings::kPortolan, 62, 29)};
  runs[1].best.reset();
  const auto gains = paper_gains(runs);
  ASSERT_EQ(gains.size(), 1);
  EXPECT_EQ(gains[0].ours, &runs[3]);
  EXPECT_TRUE(gains[0].reaches_time());
  EXPECT_TRUE(gains[0].reaches_memory());
  runs[3].row.device = "40 GB";
  EXPECT_TRUE(paper_gains(runs).empty()) << "another device";
}

// Of two plans that need 42 % less than 100 the faster one; none needs so much less than 40.
TEST(PaperGains, TheFastestPlanOfSoMuchLessMemory) {
  std::vector<PaperRun> runs = {run_of("a", PaperSettings::kBest, 10, 100),
                                run_of("b", PaperSettings::kBest, 10, 40),
                                run_of("portolan", PaperSettings::kPortolan, 5, 90)};
  for (const auto& [step_s, peak] : {std::pair(8.0, 58), std::pair(7.0, 59), std::pair(9.0, 30)}) {
    runs.push_back(run_of("portolan", PaperSettings::kPortolan, step_s, peak));
    runs.back().row.part = PaperPart::kBudgets;
  }
  const auto gains = leaner_gains(runs, "m");
  ASSERT_EQ(gains.size(), 1);
  EXPECT_EQ(gains[0].theirs->row.planner, "a");
  EXPECT_DOUBLE_EQ(gains[0].time.pct, 20);
  EXPECT_DOUBLE_EQ(gains[0].memory.pct, 42);
}

TEST(PaperTiers, EachFieldIsOfOneTier) {
  Strategy base;
  base.tensor_parallel = 8;
  base.zero_stage = 1;
  EXPECT_EQ(fix_tiers(base, 7), StrategyConstraints{});
  const StrategyConstraints all = fix_tiers(base, 0);
  EXPECT_EQ(all.tensor_parallel, 8);
  EXPECT_EQ(all.zero_stage, 1);
  EXPECT_TRUE(all.recompute && all.offload);
  const StrategyConstraints parallelism_plans = fix_tiers(base, 1), sums_plan = fix_tiers(base, 2),
                            rematerialization_plans = fix_tiers(base, 4);
  EXPECT_FALSE(parallelism_plans.tensor_parallel);
  EXPECT_TRUE(parallelism_plans.zero_stage && parallelism_plans.recompute);
  EXPECT_FALSE(sums_plan.zero_stage || sums_plan.aggregation);
  EXPECT_TRUE(sums_plan.schedule && sums_plan.offload);
  EXPECT_FALSE(rematerialization_plans.recompute || rematerialization_plans.offload);
  EXPECT_TRUE(rematerialization_plans.microbatch_size && rematerialization_plans.overlap);
}

/// Answers with the strategy's fixed degrees; fits from so many stages on.
struct FakePlanner {
  std::int32_t fewest_stages = 1;
  std::vector<Scenario> asked;

  Result<Estimate> operator()(const Scenario& scenario) {
    asked.push_back(scenario);
    Estimate estimate;
    estimate.strategy.pipeline_parallel = scenario.constraints.pipeline_parallel.value_or(64);
    estimate.step_time = Seconds(1);
    estimate.peak_memory = Bytes(1);
    return estimate.strategy.pipeline_parallel < fewest_stages ? Result<Estimate>(infeasible("too large"))
                                                               : Result<Estimate>(std::move(estimate));
  }
};

PaperCase case_of(const std::string& planner, PaperSettings settings,
                  PaperPart part = PaperPart::kBaselines) {
  for (const PaperCase& row : paper_cases(kOneModel)) {
    if (row.planner == planner && row.settings == settings && row.part == part) {
      return row;
    }
  }
  ADD_FAILURE() << planner;
  return {};
}

TEST(PaperRuns, AsFewStagesAsFit) {
  FakePlanner planner{.fewest_stages = 8, .asked = {}};
  const auto run =
      run_paper_case(case_of("megatron-2021", PaperSettings::kDefaults), kPaths, {}, {}, std::ref(planner));
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_EQ(planner.asked.size(), 4) << "1, 2, 4, 8";
  EXPECT_EQ(run->best->strategy.pipeline_parallel, 8);
  EXPECT_EQ(run->reason, "");
  planner.fewest_stages = 1000;
  const auto none =
      run_paper_case(case_of("megatron-2021", PaperSettings::kDefaults), kPaths, {}, {}, std::ref(planner));
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->best);
  EXPECT_EQ(none->reason, "too large");
}

TEST(PaperRuns, OtherErrorsEndTheStudy) {
  const PaperPlanner broken = [](const Scenario&) -> Result<Estimate> { return device_error("no worker"); };
  const auto runs = run_paper(kOneModel, kPaths, {}, broken, ignore);
  ASSERT_FALSE(runs);
  EXPECT_EQ(runs.error().message, "no worker");
}

TEST(PaperRuns, OneQuestionIsPlannedOnce) {
  FakePlanner planner;
  double last_share = -1;
  const auto runs = run_paper(kOneModel, kPaths, {}, std::ref(planner), [&](const PaperCase&, double share) {
    EXPECT_GT(share, last_share);
    last_share = share;
  });
  ASSERT_TRUE(runs) << runs.error().message;
  EXPECT_EQ(runs->size(), paper_cases(kOneModel).size());
  for (std::size_t i = 0; i < planner.asked.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      EXPECT_FALSE(planner.asked[i] == planner.asked[k]) << planner.asked[i].name;
    }
  }
  EXPECT_EQ(planner.asked.size(), runs->size() - 6) << "all tiers together; five rows of the shipped network";
}

TEST(PaperRuns, TiersRestOnADefaultThatFits) {
  FakePlanner planner{.fewest_stages = 1000, .asked = {}};
  const auto runs = run_paper(kOneModel, kPaths, {}, std::ref(planner), ignore);
  ASSERT_TRUE(runs);
  for (const PaperRun& run : *runs) {
    EXPECT_EQ(run.row.part == PaperPart::kTiers, run.reason.starts_with("Megatron-LM of 2022")) << run.reason;
  }
}

TEST(PaperCases, OverridesReachTheScenario) {
  std::set<double> bandwidths;
  std::set<std::int64_t> memories;
  for (const PaperCase& row : paper_cases(kOneModel)) {
    const auto scenario = paper_scenario(row, kPaths, {});
    ASSERT_TRUE(scenario) << row.scenario_name() << ": " << scenario.error().message;
    EXPECT_EQ(scenario->model.name, "gpt3-175b");
    if (row.part == PaperPart::kFabrics) {
      EXPECT_EQ(scenario->hardware.nic.bandwidth.value, scenario->hardware.trunk.bandwidth.value);
      bandwidths.insert(scenario->hardware.nic.bandwidth.value.value);
    }
    memories.insert(scenario->hardware.device.memory.value.value / 1'000'000'000);
  }
  EXPECT_EQ(bandwidths, (std::set<double>{6.25e9, 12.5e9, 25e9, 50e9}));
  EXPECT_EQ(memories, (std::set<std::int64_t>{21, 34, 42, 49, 64, 85}));
}

}  // namespace
}  // namespace portolan
