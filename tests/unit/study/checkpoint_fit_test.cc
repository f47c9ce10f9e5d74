#include "study/checkpoint_fit.h"

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

Result<CheckpointFit> fit(const std::string& lines) {
  return fit_checkpoint_pause(rows_from(lines), {"megatron-deepspeed-2021", "megatron-deepspeed-2022"},
                              shipped_catalog(), a_second_and_pauses);
}

TEST(CheckpointFit, FindsThePauseOfEachSource) {
  const auto found = fit(step_of("a", "one", "megatron-deepspeed-2021", "1.64") +   // 10 ms
                         step_of("b", "two", "megatron-deepspeed-2022", "1.896") +  // 14 ms
                         step_of("c", "two", "megatron-deepspeed-2021", "1.896") +
                         step_of("d", "two", "megatron-deepspeed-2021", "") +  // not measured
                         step_of("e", "three", "megatron-2021", "9"));         // other software
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->sources.size(), 2U);
  const CheckpointFitOfSource& one = found->sources[0];
  const CheckpointFitOfSource& two = found->sources[1];
  EXPECT_EQ(one.source_family, "one");
  EXPECT_EQ(one.num_rows, 1);
  EXPECT_NEAR(one.pause.value, 0.010, 1e-9);
  EXPECT_EQ(two.num_rows, 2);
  EXPECT_NEAR(two.pause.value, 0.014, 1e-9);
  EXPECT_NEAR(found->pause.value, 0.012, 1e-9);
  EXPECT_NEAR(one.without_pct, 100 * (1 - 1 / 1.64), 1e-6);
  EXPECT_NEAR(one.fitted_pct, 0, 1e-6);
  EXPECT_NEAR(one.crossed_pct, 100 * (1.896 / 1.64 - 1), 1e-6);
  EXPECT_NEAR(two.crossed_pct, 100 * (1 - 1.64 / 1.896), 1e-6);
}

TEST(CheckpointFit, OneSourceIsNotEnough) {
  const auto found = fit(step_of("a", "one", "megatron-deepspeed-2021", "1.64"));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message,
            "1 source_family with steps of megatron-deepspeed-2021, megatron-deepspeed-2022: at least 2 are "
            "needed, "
            "each predicted from the others");
}

}  // namespace
}  // namespace portolan
