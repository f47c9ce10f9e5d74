#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tiny_training.h"

namespace portolan {
namespace {

struct Refusal {
  std::string name;
  std::function<void(Scenario&, Strategy&)> change;
  ErrorKind kind = ErrorKind::kInfeasible;
  std::string message;  ///< a part of it
};

TEST(Refusal, WhatTheHostCannotDoIsFoundBeforeAnythingRuns) {
  const TokenDataset text = made_up_text(16, 61);
  const std::vector<Refusal> refusals = {
      {"dropout",
       [](Scenario& s, Strategy&) {
         s.software.dropout = {true, ""};
       },
       ErrorKind::kInfeasible, "host device cannot run attention_dropout_forward"},
      {"flash attention",
       [](Scenario& s, Strategy&) {
         s.software.flash_attention = {true, ""};
       },
       ErrorKind::kInfeasible, "host device cannot run flash_attention_forward"},
      {"tensor parallelism", [](Scenario&, Strategy& s) { s.tensor_parallel = 2; }, ErrorKind::kInfeasible,
       "collectives along axis tensor are not available on the host device yet"},
      {"sharded optimizer",
       [](Scenario&, Strategy& s) {
         s.data_parallel = 2;
         s.zero_stage = 1;
       },
       ErrorKind::kInfeasible, "host device cannot run reduce_scatter"},
      {"copies to the host",
       [](Scenario& s, Strategy& strategy) {
         s.hardware.pcie = s.hardware.nvlink;
         strategy.offload = Offload::kOptimizer;
       },
       ErrorKind::kInfeasible, "copies to and from host memory are not available on the host device yet"},
      {"bf16",
       [](Scenario& s, Strategy& strategy) {
         s.hardware.device.peak[Precision::kBf16] = s.hardware.device.peak[Precision::kFp32];
         strategy.precision = Precision::kBf16;
       },
       ErrorKind::kInfeasible, "elements of fp32"},
      {"ReLU", [](Scenario& s, Strategy&) { s.model.activation = Activation::kRelu; }, ErrorKind::kInfeasible,
       "host device cannot run relu_forward"},
      {"ALiBi", [](Scenario& s, Strategy&) { s.model.position = PositionEncoding::kAlibi; },
       ErrorKind::kInfeasible, "host device cannot run attention_softmax_forward: it has no ALiBi"},
      {"parallel residual", [](Scenario& s, Strategy&) { s.model.parallel_residual = true; },
       ErrorKind::kInfeasible, "host device cannot run branch_sum"},
      {"norms of heads", [](Scenario& s, Strategy&) { s.model.query_key_norm = true; },
       ErrorKind::kInfeasible, "host device cannot run query_key_norm_forward"},
      {"latent attention",
       [](Scenario& s, Strategy&) {
         s.model.normalization = Normalization::kRmsNorm;
         s.model.position = PositionEncoding::kRotary;
         s.model.latent = {.kv_lora_rank = 8, .qk_nope_head_dim = 4, .qk_rope_head_dim = 4, .v_head_dim = 8};
       },
       ErrorKind::kInfeasible, "host device cannot run latent_split_forward"},
      {"partial rotary positions",
       [](Scenario& s, Strategy&) {
         s.model.position = PositionEncoding::kRotary;
         s.model.rotary_dim = 4;
       },
       ErrorKind::kInfeasible, "host device cannot run rotary_forward: 4 of 8 columns of a head"},
      {"master copy",
       [](Scenario& s, Strategy&) {
         s.software.optimizer_bytes_per_parameter = {12, ""};
       },
       ErrorKind::kInfeasible, "host device cannot run adamw: 5 operands"},
  };
  for (const Refusal& refusal : refusals) {
    Strategy strategy = fp32_strategy();
    Scenario scenario = tiny_scenario(tiny_gpt(), strategy);
    refusal.change(scenario, strategy);
    scenario.num_gpus = scenario.hardware.gpus_per_node = strategy.num_ranks();
    const auto measurement = run_program(make_plan(scenario, strategy), {.num_steps = 1, .dataset = &text});
    ASSERT_FALSE(measurement) << refusal.name;
    EXPECT_EQ(measurement.error().kind, refusal.kind) << refusal.name;
    EXPECT_NE(measurement.error().message.find(refusal.message), std::string::npos)
        << refusal.name << ": " << measurement.error().message;
  }
}

TEST(Refusal, AProgramThatHasBeenTamperedWith) {
  const TokenDataset text = made_up_text(16, 61);
  const Plan plan = tiny_plan(tiny_gpt(), fp32_strategy());
  const auto forward = [](Plan& p) -> std::vector<Kernel>& {
    return p.program.stages[0].templates[1].ops[0].kernels;
  };
  const auto refused = [&](const std::function<void(Plan&)>& change) {
    Plan changed = plan;
    change(changed);
    return !run_program(changed, {.num_steps = 1, .dataset = &text}).has_value();
  };
  EXPECT_FALSE(refused([](Plan&) {}));
  EXPECT_TRUE(
      refused([&](Plan& p) { forward(p)[1].operands.pop_back(), forward(p)[1].operands.pop_back(); }));
  EXPECT_TRUE(refused([&](Plan& p) { forward(p)[1].shape.columns *= 1000; }));
  EXPECT_TRUE(refused([&](Plan& p) { forward(p)[1].shape.rows = std::int64_t{1} << 62; }));
  EXPECT_TRUE(refused([&](Plan& p) { forward(p)[1].shape.rows = -16; }));
  EXPECT_TRUE(refused([&](Plan& p) { p.program.stages[0].buffers[0].bytes = Bytes(4); }));
  EXPECT_TRUE(refused(
      [&](Plan& p) { p.program.stages[0].order.pop_back(), p.program.stages[0].order[1].microbatch = 99; }));
}

TEST(Refusal, TextThatDoesNotFit) {
  const TokenDataset text = made_up_text(8, 61);
  const Plan plan = tiny_plan(tiny_gpt(), fp32_strategy());
  const auto measurement = run_program(plan, {.num_steps = 1, .dataset = &text});
  ASSERT_FALSE(measurement);
  EXPECT_EQ(measurement.error().message,
            "text in windows of 8 tokens (needed: the plan's sequence length, 16)");
  EXPECT_EQ(run_program(plan, {.num_steps = 1, .dataset = nullptr}).error().message, "no text to train on");
}

}  // namespace
}  // namespace portolan
