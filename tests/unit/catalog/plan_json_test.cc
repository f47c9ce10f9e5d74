#include "catalog/plan_json.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "plan/lower.h"
#include "sample_scenario.h"
#include "tests/unit/catalog/replaced.h"

namespace portolan {
namespace {

TEST(PlanJson, ReadsWhatItWrites) {
  for (const int pipeline : {1, 2, 4}) {
    const Plan plan = sample_plan(pipeline);
    const std::string text = write_plan(plan);
    const Result<Plan> again = read_plan(text, "plan.json");
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, plan);
    EXPECT_EQ(write_plan(*again), text);
  }
}

TEST(PlanJson, ReadsCopiesThatItWrites) {
  for (const Offload offload :
       {Offload::kActivations, Offload::kOptimizer, Offload::kActivationsAndOptimizer}) {
    Plan plan = sample_plan(2);
    ASSERT_TRUE(plan.scenario.hardware.pcie);
    plan.strategy.offload = offload;
    plan.program = lower(plan.scenario, plan.strategy);
    plan.hash = program_hash(plan.program);
    const std::string text = write_plan(plan);
    EXPECT_NE(text.find("\"kind\": \"copy\""), std::string::npos);
    const Result<Plan> again = read_plan(text, "plan.json");
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, plan);
    EXPECT_EQ(write_plan(*again), text);
  }
}

TEST(PlanJson, AnOrderListMayBeEditedByHand) {
  const Plan plan = sample_plan(1);
  const std::string text = write_plan(plan);
  const std::string first = "[\"" + plan.program.stages[0].templates[0].name + "\", 0],\n";
  ASSERT_EQ(plan.program.stages[0].order[0], (Slot{.template_index = 0, .microbatch = 0}));
  const std::size_t at = text.find(first);
  ASSERT_NE(at, std::string::npos);
  // The name stands for the index.
  const std::string by_index = replaced(text, first, "[0, 0],\n");
  const Result<Plan> again = read_plan(by_index, "plan.json");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->program, plan.program);
}

TEST(PlanJson, AnotherLegalOrderIsAnotherProgramWithAnotherHash) {
  Plan plan = sample_plan(1);
  Plan shuffled = plan;
  // Run the whole step's forwards in a GPipe order instead.
  shuffled.strategy.schedule = ScheduleKind::kGPipe;
  shuffled.program = lower(shuffled.scenario, shuffled.strategy);
  ASSERT_NE(shuffled.program.stages[0].order, plan.program.stages[0].order);
  plan.program.stages[0].order = shuffled.program.stages[0].order;
  const Result<Plan> read = read_plan(write_plan(plan), "plan.json");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->program, plan.program);
  EXPECT_NE(read->hash, plan.hash);
  EXPECT_EQ(read->hash, program_hash(plan.program));
}

TEST(PlanJson, WhatTheProgramDoesFollowsFromScenarioAndStrategy) {
  Plan plan = sample_plan(2);
  ASSERT_TRUE(check_plan(plan));
  const auto refusal = [](const Plan& wrong) {
    const Result<Plan> read = read_plan(write_plan(wrong), "plan.json");
    return read ? std::string("accepted") : read.error().message.substr(read.error().message.find(": ") + 2);
  };
  constexpr std::string_view kRemedy =
      " is not what scenario and strategy lower to (allowed: changed order lists; for anything else plan "
      "again)";
  Plan wrong = plan;
  wrong.strategy.zero_stage = 1 - plan.strategy.zero_stage;
  EXPECT_NE(refusal(wrong).find(kRemedy), std::string::npos) << refusal(wrong);
  wrong = plan;
  wrong.strategy.recompute.all_layers = recompute_full();
  EXPECT_NE(refusal(wrong).find("program: stage 0, template backward 0"), std::string::npos)
      << refusal(wrong);
  wrong = plan;
  wrong.scenario.model.ffn_size *= 2;
  EXPECT_NE(refusal(wrong).find(kRemedy), std::string::npos) << refusal(wrong);
  wrong = plan;
  wrong.strategy.microbatch_size *= 2;
  EXPECT_EQ(refusal(wrong), fmt::format("program: its number of stages or microbatches{}", kRemedy));
  wrong = plan;
  wrong.strategy.data_parallel *= 2;
  EXPECT_EQ(refusal(wrong).substr(0, 10), "strategy: ") << refusal(wrong);
  wrong = plan;
  wrong.program.stages[1].templates[0].ops[0].kernels[0].flops.value += 1;
  EXPECT_NE(refusal(wrong).find("program: stage 1, template "), std::string::npos) << refusal(wrong);
  wrong = plan;
  wrong.program.stages[1].buffers[3].bytes.value += 4;
  EXPECT_NE(refusal(wrong).find("program: stage 1, buffer "), std::string::npos) << refusal(wrong);
}

TEST(PlanJson, SaysWhereAndWhatIsWrongInOneLine) {
  const Plan plan = sample_plan(2);
  const std::string text = write_plan(plan);
  const std::string name = plan.program.stages[0].templates[0].name;
  struct WrongPlan {
    std::string text;
    std::string message;  ///< without the line
  };
  const std::string slot = "[\"" + name + "\", 0]";
  const std::vector<WrongPlan> table = {
      {replaced(text, slot, "[9, 0]"),
       "program.stages[0].order[0].template: \"9\" is out of range (allowed: 0 to "},
      {replaced(text, slot, "[\"nothing\", 0]"),
       "program.stages[0].order[0].template: \"nothing\" is not the name of one template (allowed: "},
      {replaced(text, slot, "[0, 4]"),
       "program.stages[0].order[0].microbatch: \"4\" is out of range (allowed: 0 to 3)"},
      {replaced(text, slot, "[0, -1]"),
       "program.stages[0].order[0].microbatch: \"-1\" is out of range (allowed: 0 to 3)"},
      {replaced(text, slot, "[0]"), "program.stages[0].order[0]: is not [template, microbatch]"},
      {replaced(text, slot, "0"), "program.stages[0].order[0]: is not [template, microbatch]"},
      {replaced(text, "\"portolan plan 1\"", "\"portolan plan 2\""),
       "format: \"portolan plan 2\" is not a format that this version reads (allowed: \"portolan plan 1\")"},
      {replaced(text, "\"num_microbatches\": 4", "\"num_microbatches\": 0"),
       "program.num_microbatches: \"0\" is out of range (allowed: 1 to 10000000)"},
      {replaced(text, "\"num_microbatches\"", "\"num_microbatche\""),
       "program.num_microbatche: unknown key (did you mean \"num_microbatches\"?)"},
      {replaced(text, "\"tensor\": 1", "\"tensor\": 1.5"),
       "program.degrees.tensor: \"1.5\" is not a whole number (allowed: 1 to 1000000)"},
      {replaced(text, "\"tensor\": 1", "\"tensor\": 1000000"),
       "program.degrees: make over 1000000 ranks together"},
      {replaced(text, "\"tp\": 1,\n  \"pp\": 2", "\"tp\": 1000000,\n  \"pp\": 2"),
       "strategy: tp x pp x dp x cp is over 1000000 ranks"},
      {replaced(text, "\"kind\": \"compute\"", "\"kind\": \"commute\""),
       "program.lanes[0].kind: \"commute\" is not known (allowed: compute, copy, communication)"},
      {replaced(text, "\"num_heads\": 8", "\"num_heads\": 7"),
       "scenario.model.num_kv_heads: 2 does not divide num_heads 7"},
      {replaced(text, "\"memory_bytes\": {\"value\": 85899345921", "\"memory_bytes\": {\"value\": 0"),
       "scenario.hardware.device.memory: 0 B is not allowed (must be above zero)"},
      {replaced(text, "\"access\": [\"", "\"access\": [\"reads"), ""},
  };
  for (const WrongPlan& wrong : table) {
    const Result<Plan> read = read_plan(wrong.text, "plan.json");
    ASSERT_FALSE(read) << wrong.message;
    const std::string& message = read.error().message;
    EXPECT_TRUE(message.starts_with("plan.json:")) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos);
    EXPECT_NE(message.find(": " + wrong.message), std::string::npos)
        << message << "\nwanted " << wrong.message;
  }
}

TEST(PlanJson, TruncationAnywhereIsOneLine) {
  const std::string text = write_plan(sample_plan(1));
  for (std::size_t size = 0; size + 2 < text.size(); size += 1 + size / 5) {
    const Result<Plan> read = read_plan(std::string_view(text).substr(0, size), "plan.json");
    ASSERT_FALSE(read) << size;
    EXPECT_TRUE(read.error().message.starts_with("plan.json:")) << read.error().message;
    EXPECT_EQ(read.error().message.find('\n'), std::string::npos);
  }
  EXPECT_TRUE(
      read_plan(std::string(1'000'000, '['), "plan.json").error().message.starts_with("plan.json:1: nested"));
}

TEST(PlanJson, ALargePlanTakesWellUnderASecond) {
  Plan plan = sample_plan(1);
  plan.scenario.model.num_layers = 96;
  plan.scenario.global_batch = 2 * 2 * 192;
  plan.scenario.num_gpus = 16;
  plan.strategy.pipeline_parallel = 8;
  plan.program = lower(plan.scenario, plan.strategy);
  plan.hash = program_hash(plan.program);
  const auto start = std::chrono::steady_clock::now();
  const std::string text = write_plan(plan);
  const Result<Plan> again = read_plan(text, "plan.json");
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, plan);
  RecordProperty("bytes", static_cast<int>(text.size()));
  RecordProperty("milliseconds", static_cast<int>(1000 * seconds));
  EXPECT_LT(seconds, 5);  // 0.3 s in a release build; sanitizers and a busy machine are slower
}

}  // namespace
}  // namespace portolan
