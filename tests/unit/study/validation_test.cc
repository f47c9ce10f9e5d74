#include "study/validation.h"

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
  EXPECT_NEAR(*group.mape_pct, 15, 1e-12);
  EXPECT_NEAR(*group.median_pct, 20, 1e-12);
  EXPECT_NEAR(*group.max_pct, 25, 1e-12);
  EXPECT_NEAR(*group.bias_pct, 5. / 3, 1e-12);
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
  EXPECT_EQ(validation->groups.at(0).mape_pct, std::nullopt);
}

TEST(Validation, TheNoiseFloorIsHowFarRepeatsAreApart) {
  const auto validation = validate_rows(
      rows_from(row("a", "T", "1", "0.9") + row("b", "T", "1", "1.1") + row("c", "T", "2", "7")),
      shipped_catalog(), by_microbatch);
  ASSERT_TRUE(validation) << validation.error().message;
  EXPECT_NEAR(validation->groups.at(0).noise_pct.value(), 10, 1e-9);
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
