#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tiny_training.h"

namespace portolan {
namespace {

constexpr std::int64_t kSteps = 20;

struct Variant {
  std::string name;
  Strategy strategy;
};

std::vector<Variant> variants() {
  const Strategy base = fp32_strategy();
  std::vector<Variant> list;
  const auto add = [&](std::string name, auto change) {
    Strategy strategy = base;
    change(strategy);
    list.push_back({std::move(name), strategy});
  };
  add("2 data ranks", [](Strategy& s) { s.data_parallel = 2; });
  add("2 stages, 1F1B", [](Strategy& s) { s.pipeline_parallel = 2; });
  add("2 stages, GPipe", [](Strategy& s) {
    s.pipeline_parallel = 2;
    s.schedule = ScheduleKind::kGPipe;
  });
  add("microbatches of 4", [](Strategy& s) { s.microbatch_size = 4; });
  add("selective recomputation", [](Strategy& s) { s.recompute.all_layers = recompute_selective(); });
  add("full recomputation", [](Strategy& s) { s.recompute.all_layers = recompute_full(); });
  add("2 data ranks, full recomputation", [](Strategy& s) {
    s.data_parallel = 2;
    s.recompute.all_layers = recompute_full();
  });
  add("2 stages, 2 data ranks", [](Strategy& s) {
    s.pipeline_parallel = 2;
    s.data_parallel = 2;
    s.microbatch_size = 2;
  });
  return list;
}

void expect_close(const std::vector<double>& expected, const std::vector<double>& actual,
                  const std::string& name) {
  ASSERT_EQ(expected.size(), actual.size()) << name;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(actual[i] / expected[i], 1.0, 1e-5) << name << ", step " << i;
  }
}

void expect_equal_losses(const TransformerConfig& model) {
  const TokenDataset text = made_up_text(16, 61);
  const RunOptions options{.num_steps = kSteps, .dataset = &text};
  const RunMeasurement serial = run_or_fail(tiny_plan(model, fp32_strategy()), options);
  ASSERT_EQ(serial.losses.size(), static_cast<std::size_t>(kSteps));
  ASSERT_EQ(serial.heldout_losses.size(), 2U);
  EXPECT_NEAR(serial.losses.front(), std::log(61.0), 0.3);  // nothing learnt yet
  EXPECT_LT(serial.losses.back(), serial.losses.front() - 0.3);
  EXPECT_LT(serial.heldout_losses[1], serial.heldout_losses[0] - 0.3);
  for (const Variant& variant : variants()) {
    const RunMeasurement measurement = run_or_fail(tiny_plan(model, variant.strategy), options);
    expect_close(serial.losses, measurement.losses, variant.name);
    expect_close(serial.heldout_losses, measurement.heldout_losses, variant.name);
  }
}

TEST(LossEquality, GptHoweverItIsDivided) { expect_equal_losses(tiny_gpt()); }

TEST(LossEquality, LlamaHoweverItIsDivided) { expect_equal_losses(tiny_llama()); }

// The same kernels on the same numbers: what is computed again is what was there.
TEST(LossEquality, RecomputationChangesNoBit) {
  const TokenDataset text = made_up_text(16, 61);
  const RunOptions options{.num_steps = 5, .dataset = &text};
  for (TransformerConfig model : {tiny_gpt(), tiny_llama()}) {
    model.num_layers = 5;
    for (const std::int32_t stages : {1, 2}) {
      Strategy strategy = fp32_strategy();
      strategy.pipeline_parallel = stages;
      const RunMeasurement none = run_or_fail(tiny_plan(model, strategy), options);
      strategy.recompute.all_layers = recompute_full();
      for (const std::int32_t layers : {1, 2, 3, 5}) {
        strategy.recompute.layers_per_group = layers;
        const RunMeasurement again = run_or_fail(tiny_plan(model, strategy), options);
        EXPECT_EQ(again.losses, none.losses) << model.name << ", " << short_name(strategy);
        EXPECT_EQ(again.heldout_losses, none.heldout_losses) << model.name << ", " << short_name(strategy);
      }
    }
  }
}

TEST(LossEquality, RepeatsToTheBit) {
  const TokenDataset text = made_up_text(16, 61);
  const RunOptions options{.num_steps = 5, .dataset = &text};
  Strategy strategy = fp32_strategy();
  strategy.data_parallel = 2;
  const Plan plan = tiny_plan(tiny_gpt(), strategy);
  EXPECT_EQ(run_or_fail(plan, options).losses, run_or_fail(plan, options).losses);
}

TEST(LossEquality, GradientsThatAreConvertedAddUpAlike) {
  const TokenDataset text = made_up_text(16, 61);
  const RunOptions options{.num_steps = 5, .dataset = &text};
  const Plan fused = tiny_plan(tiny_gpt(), fp32_strategy());
  Scenario scenario = fused.scenario;
  scenario.software.fused_gradient_accumulation = {false, ""};
  const Plan converted = make_plan(scenario, fp32_strategy());
  expect_close(run_or_fail(fused, options).losses, run_or_fail(converted, options).losses, "converted");
}

}  // namespace
}  // namespace portolan
