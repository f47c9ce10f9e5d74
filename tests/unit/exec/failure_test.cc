#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "device_wrapper.h"
#include "tiny_training.h"

namespace portolan {
namespace {

Strategy two_ranks(bool pipeline) {
  Strategy strategy = fp32_strategy();
  (pipeline ? strategy.pipeline_parallel : strategy.data_parallel) = 2;
  return strategy;
}

/// Breaks at a kernel of its third step.
class BreakingDevice final : public DeviceWrapper {
 public:
  using DeviceWrapper::DeviceWrapper;

  Result<void> begin_step() override {
    ++steps_;
    return DeviceWrapper::begin_step();
  }
  Result<void> launch(LaneId lane, const KernelLaunch& launch) override {
    if (steps_ == 5 && launch.kernel.kind == KernelKind::kGeluBackward) {
      return device_error("the planted fault");
    }
    return DeviceWrapper::launch(lane, launch);
  }

 private:
  int steps_ = 0;
};

TEST(Failure, OfOneRankEndsAll) {
  const TokenDataset text = made_up_text(16, 61);
  for (const bool pipeline : {false, true}) {
    for (const std::int32_t broken : {0, 1}) {
      RunOptions options{.num_steps = 10, .dataset = &text};
      options.decorate_device = [&](std::int32_t rank,
                                    std::unique_ptr<Device> inner) -> std::unique_ptr<Device> {
        return rank == broken ? std::make_unique<BreakingDevice>(std::move(inner)) : std::move(inner);
      };
      const auto measurement = run_program(tiny_plan(tiny_gpt(), two_ranks(pipeline)), options);
      ASSERT_FALSE(measurement);
      EXPECT_EQ(measurement.error().kind, ErrorKind::kDevice);
      EXPECT_TRUE(measurement.error().message.starts_with("rank " + std::to_string(broken) +
                                                          ", backward 0 of microbatch 0, op "))
          << measurement.error().message;
      EXPECT_NE(measurement.error().message.find("the planted fault"), std::string::npos);
    }
  }
}

/// Takes longer than its peers wait.
class SlowDevice final : public DeviceWrapper {
 public:
  using DeviceWrapper::DeviceWrapper;

  Result<void> launch(LaneId lane, const KernelLaunch& launch) override {
    if (launch.kernel.kind == KernelKind::kAdamW && !slept_) {
      slept_ = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    }
    return DeviceWrapper::launch(lane, launch);
  }

 private:
  bool slept_ = false;
};

TEST(Failure, WaitingTooLongIsOne) {
  const TokenDataset text = made_up_text(16, 61);
  RunOptions options{.num_steps = 10, .dataset = &text, .timeout = Seconds(0.3)};
  options.decorate_device = [](std::int32_t rank, std::unique_ptr<Device> inner) -> std::unique_ptr<Device> {
    return rank == 1 ? std::make_unique<SlowDevice>(std::move(inner)) : std::move(inner);
  };
  const auto begin = std::chrono::steady_clock::now();
  const auto measurement = run_program(tiny_plan(tiny_gpt(), two_ranks(true)), options);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  ASSERT_FALSE(measurement);
  EXPECT_EQ(measurement.error().kind, ErrorKind::kDevice);
  EXPECT_NE(measurement.error().message.find("waited 0.3 s in vain for"), std::string::npos)
      << measurement.error().message;
  EXPECT_LT(elapsed.count(), 20);
}

TEST(Failure, TokensOutsideTheVocabularyAreBadInput) {
  const TokenDataset text = made_up_text(16, 500);
  const auto measurement =
      run_program(tiny_plan(tiny_gpt(), two_ranks(false)), {.num_steps = 1, .dataset = &text});
  ASSERT_FALSE(measurement);
  EXPECT_EQ(measurement.error().kind, ErrorKind::kBadInput);
  EXPECT_NE(measurement.error().message.find("is not in the model's vocabulary (allowed: 0 to 63)"),
            std::string::npos)
      << measurement.error().message;
}

}  // namespace
}  // namespace portolan
