#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

#include "device_wrapper.h"
#include "tiny_training.h"

namespace portolan {
namespace {

std::vector<Strategy> strategies() {
  std::vector<Strategy> list;
  for (const RecomputeSet& set : {recompute_none(), recompute_selective(), recompute_full()}) {
    Strategy strategy = fp32_strategy();
    strategy.recompute.all_layers = set;
    list.push_back(strategy);
    strategy.data_parallel = 2;
    list.push_back(strategy);
    strategy.data_parallel = 1;
    strategy.pipeline_parallel = 2;
    list.push_back(strategy);
    strategy.schedule = ScheduleKind::kGPipe;
    list.push_back(strategy);
  }
  Strategy grouped = fp32_strategy();
  grouped.recompute = {.all_layers = recompute_full(), .per_layer = {}, .layers_per_group = 2};
  list.push_back(grouped);
  return list;
}

TEST(Poison, ChangesNoLoss) {
  const TokenDataset text = made_up_text(16, 61);
  for (const TransformerConfig& model : {tiny_gpt(), tiny_llama()}) {
    for (const Strategy& strategy : strategies()) {
      const Plan plan = tiny_plan(model, strategy);
      const RunMeasurement plain = run_or_fail(plan, {.num_steps = 3, .dataset = &text});
      const RunMeasurement poisoned = run_or_fail(plan, {.num_steps = 3, .dataset = &text, .poison = true});
      EXPECT_EQ(plain.losses, poisoned.losses) << model.name << ", " << short_name(strategy);
      EXPECT_EQ(plain.heldout_losses, poisoned.heldout_losses) << model.name << ", " << short_name(strategy);
    }
  }
}

/// Reads the MLP's activation once more after its last declared use, as a kernel with an undeclared operand
/// would.
class HiddenDependency final : public DeviceWrapper {
 public:
  using DeviceWrapper::DeviceWrapper;

  Result<void> launch(LaneId lane, const KernelLaunch& launch) override {
    if (launch.kernel.kind == KernelKind::kGeluForward) {
      activated_ = reinterpret_cast<const float*>(launch.operands[0]);
    }
    PORTOLAN_CHECK_OK(DeviceWrapper::launch(lane, launch));
    if (launch.kernel.kind == KernelKind::kGeluBackward) {
      *reinterpret_cast<float*>(launch.operands[0]) += 1e-6F * *activated_;
    }
    return {};
  }

 private:
  const float* activated_ = nullptr;
};

TEST(Poison, APlantedUseAfterTheLastIsFound) {
  const TokenDataset text = made_up_text(16, 61);
  RunOptions options{.num_steps = 3, .dataset = &text};
  options.decorate_device = [](std::int32_t, std::unique_ptr<Device> inner) {
    return std::make_unique<HiddenDependency>(std::move(inner));
  };
  const Plan plan = tiny_plan(tiny_gpt(), fp32_strategy());
  EXPECT_TRUE(std::isfinite(run_or_fail(plan, options).losses.back()));  // goes unnoticed
  options.poison = true;
  EXPECT_TRUE(std::isnan(run_or_fail(plan, options).losses.back()));
}

/// A kernel whose result is left as it was: what it should have written is read before any write.
class SkippedWrite final : public DeviceWrapper {
 public:
  using DeviceWrapper::DeviceWrapper;

  Result<void> launch(LaneId lane, const KernelLaunch& launch) override {
    return launch.kernel.kind == KernelKind::kGeluForward ? Result<void>()
                                                          : DeviceWrapper::launch(lane, launch);
  }
};

TEST(Poison, AUseBeforeTheFirstWriteIsFound) {
  const TokenDataset text = made_up_text(16, 61);
  RunOptions options{.num_steps = 1, .dataset = &text, .poison = true};
  options.decorate_device = [](std::int32_t, std::unique_ptr<Device> inner) {
    return std::make_unique<SkippedWrite>(std::move(inner));
  };
  EXPECT_TRUE(std::isnan(run_or_fail(tiny_plan(tiny_gpt(), fp32_strategy()), options).losses.back()));
}

TEST(Poison, ALifetimeCutShortIsRefused) {
  const TokenDataset text = made_up_text(16, 61);
  Plan plan = tiny_plan(tiny_gpt(), fp32_strategy());
  for (Buffer& buffer : plan.program.stages[0].buffers) {
    if (buffer.name == "layer 0 norm1.output") {
      buffer.last = buffer.first;
    }
  }
  const auto measurement = run_program(plan, {.num_steps = 1, .dataset = &text});
  ASSERT_FALSE(measurement);
  EXPECT_EQ(measurement.error().kind, ErrorKind::kBadInput);
  EXPECT_NE(measurement.error().message.find("\"layer 0 norm1.output\" is used outside its lifetime"),
            std::string::npos)
      << measurement.error().message;
}

}  // namespace
}  // namespace portolan
