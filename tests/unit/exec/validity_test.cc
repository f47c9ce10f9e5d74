#include <gtest/gtest.h>
#include <sched.h>

#include "exec/processor_affinity.h"
#include "tiny_training.h"

namespace portolan {
namespace {

TEST(Validity, MoreRanksThanCoresIsInvalid) {
  EXPECT_EQ(sharing_problem(2, 2), "");
  EXPECT_EQ(sharing_problem(2, 1), "2 ranks share 1 core");
  EXPECT_EQ(sharing_problem(5, 4), "5 ranks share 4 cores");
}

TEST(Validity, EachRankHasAProcessorOfItsOwnWhileThereAreEnough) {
  EXPECT_EQ(assign_processors(2, {1, 3, 5}), (std::vector<std::int32_t>{1, 3}));
  EXPECT_EQ(assign_processors(3, {1, 3}), (std::vector<std::int32_t>{1, 3, 1}));
}

/// What `taskset -c` does to a process, undone at the end.
class OneProcessor {
 public:
  OneProcessor() {
    sched_getaffinity(0, sizeof(before_), &before_);
    pin_this_thread(allowed_processors().front());
  }
  ~OneProcessor() { sched_setaffinity(0, sizeof(before_), &before_); }

 private:
  cpu_set_t before_{};
};

TEST(Validity, TwoRanksOnOneCoreTrainAndAreCalledInvalid) {
  const OneProcessor one;
  const TokenDataset text = made_up_text(16, 61);
  Strategy strategy = fp32_strategy();
  strategy.data_parallel = 2;
  const RunMeasurement measurement =
      run_or_fail(tiny_plan(tiny_gpt(), strategy), {.num_steps = 3, .dataset = &text});
  EXPECT_FALSE(measurement.valid);
  EXPECT_EQ(measurement.invalid_reason, "2 ranks share 1 core");
  EXPECT_EQ(measurement.losses.size(), 3U);
}

TEST(Validity, KindsOfTheSlowestRankMakeUpTheStep) {
  const TokenDataset text = made_up_text(16, 61);
  const RunMeasurement measurement = run_or_fail(tiny_plan(tiny_gpt(), fp32_strategy()),
                                                 {.num_steps = 8, .dataset = &text, .num_warmup_steps = 3});
  EXPECT_EQ(measurement.num_warmup_steps, 3);
  EXPECT_EQ(measurement.step_times.size(), 8U);
  double sum = 0;
  for (const MeasuredKind& kind : measurement.by_kind) {
    EXPECT_EQ(kind.rank, 0);
    sum += kind.time.value;
  }
  EXPECT_GT(sum, 0);
  EXPECT_LE(sum, 1.5 * median_step_time(measurement).value);
}

}  // namespace
}  // namespace portolan
