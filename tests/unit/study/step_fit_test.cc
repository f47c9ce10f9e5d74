#include "study/step_fit.h"

#include "sample_rows.h"

namespace portolan {
namespace {

std::string step_of(const std::string& id, const std::string& family, const std::string& software,
                    const std::string& seconds) {
  return id + ",T," + family + ",a100-node," + software +
         ",8,8,1024,16,4096,51200,2048,,fp16,8,1,8,1,1,1,no,0,full,no," + seconds + "\n";
}

/// Each step takes a second, and as much as eight layers and eight microbatches pause.
std::vector<Result<Estimate>> a_second_and_pauses(std::span<const PredictionTask> tasks) {
  std::vector<Result<Estimate>> results;
  for (const PredictionTask& task : tasks) {
    Estimate estimate;
    estimate.strategy = task.strategy;
    estimate.step_time = Seconds(1) + task.scenario.software.checkpoint_pause.value * 64;
    results.emplace_back(estimate);
  }
  return results;
}

Result<StepFit> fit(const std::string& lines) {
  return fit_step_constant(rows_from(lines), checkpoint_pause_constant(), shipped_catalog(),
                           a_second_and_pauses);
}

TEST(StepFit, FindsThePauseOfEachSource) {
  const auto found = fit(step_of("a", "one", "megatron-deepspeed-2021", "1.64") +   // 10 ms
                         step_of("b", "two", "megatron-deepspeed-2022", "1.896") +  // 14 ms
                         step_of("c", "two", "megatron-deepspeed-2021", "1.896") +
                         step_of("d", "two", "megatron-deepspeed-2021", ""));  // not measured
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->sources.size(), 2U);
  const StepFitOfSource& one = found->sources[0];
  const StepFitOfSource& two = found->sources[1];
  EXPECT_EQ(one.source_family, "one");
  EXPECT_EQ(one.num_rows, 1);
  EXPECT_NEAR(one.value, 0.010, 1e-9);
  EXPECT_EQ(two.num_rows, 2);
  EXPECT_NEAR(two.value, 0.014, 1e-9);
  EXPECT_NEAR(found->value, 0.012, 1e-9);
  EXPECT_NEAR(one.without_pct, 100 * (1 - 1 / 1.64), 1e-6);
  EXPECT_NEAR(one.fitted_pct, 0, 1e-6);
  EXPECT_NEAR(one.crossed_pct, 100 * (1.896 / 1.64 - 1), 1e-6);
  EXPECT_NEAR(two.crossed_pct, 100 * (1 - 1.64 / 1.896), 1e-6);
}

TEST(StepFit, OneSourceIsNotEnough) {
  const auto found = fit(step_of("a", "one", "megatron-deepspeed-2021", "1.64"));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message, "1 source_family: at least 2 are needed, each predicted from the others");
}

/// Each step takes a second, of which products take what they do at their file's rate.
std::vector<Result<Estimate>> a_second_of_products(std::span<const PredictionTask> tasks) {
  std::vector<Result<Estimate>> results;
  for (const PredictionTask& task : tasks) {
    Estimate estimate;
    estimate.strategy = task.strategy;
    const DeviceSpec& device = task.scenario.hardware.device;
    EXPECT_NEAR(device.gemm_tiles->sizes.front().efficiency / device.gemm_efficiency.value, 0.793 / 0.734,
                1e-2)
        << "scaled alike";
    estimate.step_time = Seconds(0.734 / device.gemm_efficiency.value);
    results.emplace_back(estimate);
  }
  return results;
}

TEST(StepFit, FindsTheRateOfProducts) {
  const auto rows = rows_from(step_of("a", "one", "megatron-2021", "1.25") +
                              step_of("b", "two", "megatron-2021", "1.1111"));
  const auto found =
      fit_step_constant(rows, products_rate_constant(), shipped_catalog(), a_second_of_products);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_NEAR(found->sources[0].value, 0.8, 1e-9);
  EXPECT_NEAR(found->sources[1].value, 0.9, 1e-9);
  EXPECT_NEAR(found->value, 0.85, 1e-9);
  EXPECT_NEAR(found->sources[0].without_pct, 20, 0.1);
  EXPECT_NEAR(found->sources[0].crossed_pct, 100 * (1 - 0.8 / 0.9), 0.1);
}

}  // namespace
}  // namespace portolan
