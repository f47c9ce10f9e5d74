#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "base/file.h"
#include "catalog/plan_json.h"
#include "plan/simulate.h"
#include "tests/property/compare/kineto_writer.h"
#include "tests/unit/cli/command.h"
#include "tests/unit/plan/plain_runner.h"

namespace portolan {
namespace {

/// A small model on 8 GPUs: one stage, tp 2, dp 4.
std::string plan_in(const ScratchFolder& scratch) {
  const std::string scenario = scratch.write(
      "s.yaml",
      "model: {name: m, num_layers: 4, hidden_size: 2048, num_heads: 16, ffn_size: 8192, vocab_size: 51200, "
      "max_positions: 1024}\nhardware: a100-node\nsoftware: megatron-2022\nsequence_length: 1024\n"
      "global_batch: 32\nnum_gpus: 8\nprecision: bf16\n");
  const CommandResult planned =
      portolan_command("plan " + scenario + " --strategy tp=2,pp=1,dp=4,microbatch=2,recompute=none --out " +
                       scratch.file("plan.json"));
  EXPECT_EQ(planned.exit_code, 0) << planned.err;
  return scratch.file("plan.json");
}

std::string iteration(int step, double milliseconds) {
  return " iteration " + std::to_string(step) +
         "/ 100 | elapsed time per iteration (ms): " + std::to_string(milliseconds) +
         " | global batch size:    32 | number of skipped iterations:   0 |\n";
}

TEST(CompareLog, StepTimeAndMemory) {
  const ScratchFolder scratch;
  const std::string plan = plan_in(scratch);
  std::string text =
      iteration(1, 9000) +
      "[Rank 3] (after 1 iterations) memory (MB) | allocated: 1.0 | max allocated: 4096.0 | reserved: "
      "1.0 | max reserved: 5000.0\n";
  for (const double off : {0.0, 1.0, -1.0, 2.0, -2.0, 0.5}) {
    text += iteration(static_cast<int>(10 + 10 * off), 200 + off);
  }
  const CommandResult result =
      portolan_command("compare --json " + plan + " --log " + scratch.write("train.log", text));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto json = result.json();
  const auto& step = json["step_time"];
  const CommandResult simulated = portolan_command("simulate --json " + plan);
  EXPECT_EQ(step["predicted_s"], simulated.json()["estimate"]["step_time_s"]);
  // The steps went back three times: what comes first after a start is left out.
  EXPECT_EQ(step["measured_s"], 0.201);
  EXPECT_EQ(step["valid"], false);
  EXPECT_NE(json["invalid_reason"].get<std::string>().find("3 steady steps"), std::string::npos);
  ASSERT_EQ(json["memory"].size(), 2U);
  EXPECT_EQ(json["memory"][0]["rank"], 3);
  EXPECT_EQ(json["memory"][0]["what"], "allocated");
  EXPECT_EQ(json["memory"][0]["predicted_bytes"],
            simulated.json()["estimate"]["stage_memory"][0]["allocated_bytes"]);
  EXPECT_EQ(json["memory"][0]["measured_bytes"], 4096.0 * 1024 * 1024);
  EXPECT_EQ(json["attribution"].size(), 0U);
}

TEST(CompareLog, ATableForPeople) {
  const ScratchFolder scratch;
  std::string text;
  for (int step = 1; step <= 12; ++step) {
    text += iteration(step, 200 + step % 3);
    text += "time (ms) | forward-compute: " + std::to_string(60 + 0.1 * (step % 3)) + " | optimizer: 4.0\n";
  }
  const CommandResult result =
      portolan_command("compare " + plan_in(scratch) + " --log " + scratch.write("train.log", text));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("forward-compute  forward"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("Megatron-LM log: 11 of 12 logged steps used, 1 left out: 1 first after a start"),
            std::string::npos)
      << result.out;
  EXPECT_NE(result.out.find("explained by"), std::string::npos) << result.out;
}

TEST(CompareLog, RefusedInOneLine) {
  const ScratchFolder scratch;
  const std::string plan = plan_in(scratch);
  const std::string log =
      scratch.write("train.log", iteration(1, 200) +
                                     "[Rank 9] memory (MB) | allocated: 1.0 | max allocated: "
                                     "4096.0 | max reserved: 5000.0\n");
  const struct {
    std::string arguments;
    std::string message;
  } table[] = {
      {plan, "is a plan (needed with it: --log FILE or --trace FILE)"},
      {plan + " --log " + scratch.write("empty", ""), "no line with the time of a training step"},
      {plan + " --log " + scratch.file("none"), "no such file"},
      {plan + " --log " + log, "the log has a rank 9 (the plan has 8 ranks, from 0)"},
      {plan + " --rank 8 --log " + log, "--rank: 8 is no rank of the plan (allowed: 0 to 7)"},
      {plan + " --log " + scratch.write("bad.gz", "\x1f\x8b\x08 not packed"), "cannot be unpacked"},
  };
  for (const auto& row : table) {
    const CommandResult result = portolan_command("compare " + row.arguments);
    EXPECT_EQ(result.exit_code, 2) << row.arguments;
    EXPECT_NE(result.err.find(row.message), std::string::npos) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
}

/// Writes the trace of rank 0 of a made-up run of the plan.
std::string trace_in(const ScratchFolder& scratch, const std::string& plan_file, const MadeUpRun& run) {
  const auto plan = read_plan(*read_file(plan_file), plan_file);
  const auto cluster = Cluster::build(plan->scenario.hardware);
  const auto simulation = simulate_program({.scenario = plan->scenario,
                                            .strategy = plan->strategy,
                                            .program = plan->program,
                                            .cluster = *cluster,
                                            .with_timeline = true},
                                           run_without_contention);
  const KernelCost cost(plan->scenario.hardware, plan->strategy.precision, plan->scenario.software);
  return scratch.write(
      "trace.json", write_kineto_trace(plan->program, cost, simulation->timeline, 0, run, RandomStream(5)));
}

TEST(CompareTrace, FindsThePlantedKind) {
  const ScratchFolder scratch;
  const std::string plan = plan_in(scratch);
  MadeUpRun run;
  run.slowdown = [](TimeKind kind, const Op&) { return kind == TimeKind::kGemm ? 1.1 : 1.0; };
  const std::string trace = trace_in(scratch, plan, run);
  const CommandResult result = portolan_command("compare --json " + plan + " --trace " + trace);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto json = result.json();
  EXPECT_EQ(json["step_time"]["valid"], true) << json["invalid_reason"];
  for (const auto& named : json["attribution"]) {
    EXPECT_EQ(named["kind"], "gemm");
  }
  ASSERT_FALSE(json["attribution"].empty());
  EXPECT_NEAR(json["attribution"][0]["excess_pct"].get<double>(), 10, 2);
  EXPECT_TRUE(json["unknown_kernels"].empty());
  // Packed, it says the same.
  ASSERT_EQ(std::system(("gzip " + trace).c_str()), 0);
  const CommandResult packed = portolan_command("compare --json " + plan + " --trace " + trace + ".gz");
  EXPECT_EQ(packed.json()["attribution"], json["attribution"]) << packed.err;
}

TEST(CompareTrace, ATableForPeopleOfAnyWidth) {
  const ScratchFolder scratch;
  const std::string plan = plan_in(scratch);
  const std::string trace = trace_in(scratch, plan, {.num_steps = 3});
  const CommandResult result = portolan_command("compare " + plan + " --trace " + trace + " --rank 0");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("trace of rank 0: 3 steps"), std::string::npos) << result.out;
  std::size_t begin = result.out.find('\n') + 1;  // names of files may be long
  while (begin < result.out.size()) {
    const std::size_t end = result.out.find('\n', begin);
    EXPECT_LE(end - begin, 80U) << result.out.substr(begin, end - begin);
    begin = end + 1;
  }
}

TEST(CompareTrace, RefusedInOneLine) {
  const ScratchFolder scratch;
  const std::string plan = plan_in(scratch);
  const std::string trace = trace_in(scratch, plan, {.num_steps = 1});
  const std::string other = scratch.write(
      "other.json",
      R"({"distributedInfo": {"rank": 0, "world_size": 64}, "traceEvents": [{"ph": "X", "cat": "kernel",
      "name": "gemm", "ts": 1, "dur": 2}]})");
  const struct {
    std::string arguments;
    std::string message;
  } table[] = {
      {" --trace " + trace + " --log " + trace, "--log, --trace: one measurement at a time"},
      {" --trace " + trace + " --fidelity closed-form", "--fidelity: the closed form has no times of kinds"},
      {" --trace " + trace + " --steps 0", "--steps: 0 (allowed: 1 to 1000000)"},
      {" --rank 3 --trace " + trace, "--rank: 3 (the trace says that it is of rank 0)"},
      {" --trace " + other, "the trace is of a run of 64 ranks (the plan has 8)"},
      {" --trace " + scratch.write("cut.json", "{\"traceEvents\": [{"), "cut.json: is no trace (JSON of"},
      {" --trace " + scratch.file("none"), "no such file"},
  };
  for (const auto& row : table) {
    const CommandResult result = portolan_command("compare " + plan + row.arguments);
    EXPECT_EQ(result.exit_code, 2) << row.arguments;
    EXPECT_NE(result.err.find(row.message), std::string::npos) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
}

}  // namespace
}  // namespace portolan
