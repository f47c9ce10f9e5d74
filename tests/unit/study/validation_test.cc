#include "study/validation.h"

#include <cmath>

#include "sample_rows.h"

namespace portolan {
namespace {

std::string row(const std::string& id, const std::string& prefix, const std::string& microbatch,
                const std::string& seconds) {
  return id + "," + prefix + ",f,a100-node,megatron-2021,8,8,1024,16,4096,51200,2048,,fp16,8," + microbatch +
         ",8,1,1,1,no,0,full,no," + seconds + "\n";
}

/// Each step takes as many seconds as its microbatch has sequences.
std::vector<Result<Estimate>> by_microbatch(std::span<const PredictionTask> tasks) {
  std::vector<Result<Estimate>> results;
  for (const PredictionTask& task : tasks) {
    Estimate estimate;
    estimate.strategy = task.strategy;
    estimate.step_time = Seconds(static_cast<double>(task.strategy.microbatch_size));
    if (task.strategy.microbatch_size == 8) {
      estimate.peak_memory = Bytes(90 * kGibi);
    }
    results.emplace_back(estimate);
  }
  return results;
}

TEST(Validation, ErrorsAreOfTheMeasuredTime) {
  const auto validation = validate_rows(rows_from(row("a", "T", "1", "0.8") + row("b", "T", "2", "2.5") +
                                                  row("c", "T", "4", "4") + row("d", "U", "2", "")),
                                        shipped_catalog(), by_microbatch);
  ASSERT_TRUE(validation) << validation.error().message;
  ASSERT_EQ(validation->rows.size(), 3U);
  EXPECT_NEAR(validation->rows[0].error_pct(), 25, 1e-12);
  EXPECT_NEAR(validation->rows[1].error_pct(), -20, 1e-12);
  ASSERT_EQ(validation->groups.size(), 2U);
  const ValidationGroup& group = validation->groups[0];
  EXPECT_EQ(group.rows, 3);
  EXPECT_NEAR(*group.errors.mape_pct, 15, 1e-12);
  EXPECT_NEAR(*group.errors.median_pct, 20, 1e-12);
  EXPECT_NEAR(*group.errors.max_pct, 25, 1e-12);
  EXPECT_NEAR(*group.errors.bias_pct, 5. / 3, 1e-12);
  EXPECT_EQ(group.noise_pct, std::nullopt);
  EXPECT_EQ(validation->groups[1].rows, 0);
  EXPECT_EQ(validation->groups[1].skipped, 1);
  EXPECT_EQ(validation->skipped.at(0).reason, "sec_per_iter: not published");
}

// Microbatches of 1, 2 and 4 fit; 8 does not.
TEST(Validation, ARangeStaysOutOfTheMeanAndEndsWhereMemoryDoes) {
  const auto validation = validate_rows(
      rows_from(row("within", "T", "", "3") + row("below", "T", "", "0.5") + row("above", "T", "", "5")),
      shipped_catalog(), by_microbatch);
  ASSERT_TRUE(validation) << validation.error().message;
  const std::vector<double> errors = {0, 100, -20};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(validation->rows.at(i).is_range);
    EXPECT_EQ(validation->rows[i].predicted, Seconds(1));
    EXPECT_EQ(validation->rows[i].slowest, Seconds(4));
    EXPECT_NEAR(validation->rows[i].error_pct(), errors[i], 1e-12);
  }
  EXPECT_EQ(validation->groups.at(0).ranges, 3);
  EXPECT_EQ(validation->groups.at(0).errors.mape_pct, std::nullopt);
}

TEST(Validation, TheNoiseFloorIsHowFarRepeatsAreApart) {
  const auto validation = validate_rows(
      rows_from(row("a", "T", "1", "0.9") + row("b", "T", "1", "1.1") + row("c", "T", "2", "7")),
      shipped_catalog(), by_microbatch);
  ASSERT_TRUE(validation) << validation.error().message;
  EXPECT_NEAR(validation->groups.at(0).noise_pct.value(), 10, 1e-9);
}

// What a profile cannot do is predicted, and counts in nothing: it is a lower bound.
TEST(Validation, WhatTheSoftwareDoesNotKnowIsShownApart) {
  const std::string sharded =
      "z,T,f,a100-node,megatron-2021,8,8,1024,16,4096,51200,2048,,fp16,8,1,1,1,1,8,no,3,full,no,4\n";
  const auto validation =
      validate_rows(rows_from(sharded + row("a", "T", "2", "2")), shipped_catalog(), by_microbatch);
  ASSERT_TRUE(validation) << validation.error().message;
  EXPECT_EQ(validation->rows.at(0).apart, "zero 3: megatron-2021 has up to 0");
  EXPECT_EQ(validation->rows.at(1).apart, "");
  EXPECT_EQ(validation->groups.at(0).apart, 1);
  EXPECT_NEAR(validation->groups.at(0).errors.mape_pct.value(), 0, 1e-12);
  EXPECT_EQ(step_errors_of(*validation).at(0).rows, 1);
}

TEST(Validation, IntervalsAreTakenFromErrorsAndCoverWhatTheyHold) {
  auto validation =
      validate_rows(rows_from(row("a", "T", "1", "1.2") + row("b", "T", "2", "2.1") + row("c", "T", "4", "")),
                    shipped_catalog(), by_microbatch);
  ASSERT_TRUE(validation) << validation.error().message;
  add_intervals(*validation, {});
  EXPECT_EQ(validation->rows.at(0).margin, std::nullopt);
  EXPECT_EQ(validation->groups.at(0).coverage.covered_pct, std::nullopt);
  const std::vector<SourceErrors> own = step_errors_of(*validation);
  ASSERT_EQ(own.size(), 1U);
  EXPECT_EQ(own[0].rows, 2);
  EXPECT_NEAR(own[0].errors.at(0), std::log(2.1 / 2), 1e-4);
  EXPECT_NEAR(own[0].errors.at(1), std::log(1.2), 1e-4);
  SourceErrors others = own[0];
  others.source_family = "others";
  others.errors = {0.1};
  add_intervals(*validation, {.step_time = {own[0], others}, .memory = {}});
  const ValidationGroup& group = validation->groups.at(0);
  // With its own errors the widest of the half that weighs most; by others' 0.1 alone.
  EXPECT_NEAR(*group.coverage.half_width_pct, 20, 0.02);
  EXPECT_NEAR(*group.coverage.covered_pct, 100, 1e-12);
  EXPECT_NEAR(*group.new_source.half_width_pct, 100 * std::expm1(0.1), 1e-9);
  EXPECT_NEAR(*group.new_source.covered_pct, 50, 1e-12);
}

// A range's interval goes about both ends.
TEST(Validation, TheIntervalOfARangeGoesAboutIt) {
  auto validation = validate_rows(rows_from(row("a", "T", "", "3")), shipped_catalog(), by_microbatch);
  ASSERT_TRUE(validation) << validation.error().message;
  const RowPrediction& only = validation->rows.at(0);
  const ValueInterval interval = only.interval(ErrorMargin{.half_width = std::log(2), .basis = {}}).value();
  EXPECT_NEAR(interval.low, 0.5, 1e-12);
  EXPECT_NEAR(interval.high, 8, 1e-12);
}

TEST(Validation, AFailedPredictionIsASkippedRow) {
  const auto failing = [](std::span<const PredictionTask> tasks) {
    return std::vector<Result<Estimate>>(tasks.size(), device_error("a worker died"));
  };
  const auto validation = validate_rows(rows_from(row("a", "T", "1", "1")), shipped_catalog(), failing);
  ASSERT_TRUE(validation) << validation.error().message;
  EXPECT_EQ(validation->rows.size(), 0U);
  EXPECT_EQ(validation->skipped.at(0).reason, "a worker died");
}

}  // namespace
}  // namespace portolan
