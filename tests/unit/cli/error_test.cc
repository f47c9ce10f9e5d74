#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/cli/command.h"

namespace portolan {
namespace {

struct Refused {
  std::string arguments;
  int exit_code;
  std::string message;  ///< part of the one line on standard error
};

void expect_refused(const Refused& row) {
  const CommandResult result = portolan_command(row.arguments);
  EXPECT_EQ(result.exit_code, row.exit_code) << row.arguments << "\n" << result.err;
  EXPECT_NE(result.err.find(row.message), std::string::npos) << row.arguments << "\n" << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << row.arguments << "\n" << result.err;
  EXPECT_EQ(result.out, "") << row.arguments;
}

TEST(CommandLine, RefusesBadArguments) {
  const std::vector<Refused> table = {
      {"", 2, "subcommand"},
      {"fly", 2, "fly"},
      {"plan", 2, "SCENARIO"},
      {"plan nowhere.yaml", 2, "nowhere.yaml: no such file"},
      {"plan scenarios", 2, "scenarios: is a folder"},
      {"plan gpt3-175b-512xa100 --objective beauty", 2, "\"beauty\" (allowed: time, memory, energy, cost)"},
      {"plan gpt3-175b-512xa100 --objective cost", 2, "gives no price_per_gpu_hour"},
      {"plan gpt3-175b-512xa100 --strategy tq=8", 2, "tq"},
      {"plan small-gpt-this-machine", 2, "portolan calibrate"},
      {"simulate gpt3-175b-512xa100 --strategy "
       "tp=8,pp=8,dp=8,microbatch=1,schedule=1f1b,recompute=full,zero=0 --fidelity perfect",
       2, "\"perfect\" is not known (allowed: closed-form, folded, replicas, full, explicit)"},
      {"simulate gpt3-175b-512xa100 --fidelity closed-form --memory-timeline /tmp/x.csv", 2,
       "--memory-timeline: the closed form has no timeline"},
      {"simulate gpt3-175b-512xa100 --fidelity closed-form --trace /tmp/x.json", 2,
       "--trace: the closed form has no timeline"},
      {"simulate gpt3-175b-512xa100 --trace /nowhere/x.json", 2,
       "--trace: \"/nowhere/x.json\": no such folder: /nowhere"},
      {"simulate gpt3-175b-512xa100 --trace /tmp/x --memory-timeline /tmp/x", 2,
       "--trace: /tmp/x is --memory-timeline's (allowed: another file)"},
      {"simulate gpt3-175b-512xa100 --memory-timeline /nowhere/x.csv", 2,
       "--memory-timeline: \"/nowhere/x.csv\": no such folder: /nowhere"},
      {"validate --truth x.csv --fidelity perfect", 2,
       "\"perfect\" is not known (allowed: closed-form, folded, replicas, full, explicit)"},
      {"simulate nothing", 2,
       "nothing: no such file, nor a shipped scenario (allowed: gpt3-175b-300b-tokens, gpt3-175b-512xa100, "
       "megatron-1t-512xa100, "
       "small-gpt-this-machine)"},
      {"plan nothing", 2, "nothing: no such file, nor a shipped scenario (allowed: gpt3-175b-300b-tokens, "},
      {"calibrate --device abacus --out /tmp/x.yaml", 2, "\"abacus\" (allowed: host)"},
      {"run nowhere.json", 2, "nowhere.json: no such file"},
      {"compare README.md", 2, "README.md"},
      {"plan gpt3-175b-512xa100 --top -3", 2, "--top: -3 (allowed: 1 to 1000000)"},
      {"plan gpt3-175b-512xa100 --catalog /nowhere", 2, "--catalog: /nowhere: no such folder"},
      {"plan gpt3-175b-512xa100 --out /tmp", 2, "--out: /tmp: is a folder (allowed: a file)"},
      {"plan gpt3-175b-512xa100 --out /dev/null", 2, "--out: /dev/null: is not a regular file"},
      {"plan gpt3-175b-512xa100 --out /nowhere/x.json", 2, "no such folder: /nowhere"},
      {"simulate gpt3-175b-512xa100 --strategy compression=topk", 2,
       "\"topk\" is not known (allowed: none, "},
      {"simulate gpt3-175b-512xa100 --strategy compression=topk:0.01,zero=0", 1,
       "compression topk:0.01 loses a part of the gradients (allowed: none; others where the scenario says "
       "lossy_gradients: true)"},
      {"simulate gpt3-175b-512xa100 --strategy recompute=optimal,offload=activations", 1,
       "offload activations with recompute optimal is not available yet"},
      {"plan gpt3-175b-512xa100 --strategy schedule=dualpipe", 2, "\"dualpipe\" is not available yet"},
      {"run nowhere.json --device cuda", 2, "--device: cuda is not available yet (allowed: host)"},
      {"run nowhere.json --ranks-as processes", 2, "processes are not available yet (allowed: threads)"},
      {"plan gpt3-175b-512xa100 --strategy zero=2,schedule=zb-h1", 1,
       "ZeRO stage 2 with schedule zb-h1 is not available yet"},
      {"plan gpt3-175b-512xa100 --hardware dgx", 2,
       "--hardware: \"dgx\" is not in any hardware/ folder (there are: a100-40g-roce-8x200, "},
      {"plan gpt3-175b-512xa100 --hardware ./dgx-h100", 2, "./dgx-h100: no such file"},
      {"simulate gpt3-175b-512xa100 --strategy layers=1:2", 1,
       "closest: a list of 2 stages with 3 layers in all (needed: 2 stages, 96 layers, "},
      {"simulate gpt3-175b-512xa100 --strategy precision=fp8", 1,
       "hardware dgx-a100-80g-hdr names no peak rate for fp8 (allowed: fp32, tf32, fp16, bf16)"},
      {"plan gpt3-175b-512xa100 --strategy tp=5", 1, "512 GPUs are not divisible by tp 5"},
  };
  for (const Refused& row : table) {
    expect_refused(row);
  }
}

// A candidate that cannot be: exit 1 with the numbers.
TEST(CommandLine, CallsCandidatesInfeasible) {
  const std::string simulate =
      "simulate gpt3-175b-512xa100 --strategy "
      "microbatch=1,schedule=1f1b,recompute=full,zero=0,axis_order=tensor-data-pipeline,";
  const std::vector<Refused> table = {
      {simulate + "tp=64,pp=8,dp=1", 1, "96 attention heads are not divisible by tp 64"},
      {simulate + "tp=8,pp=64,dp=8", 1, "tp 8 x pp 64 x dp 8 = 4096 ranks exceed the 512 GPUs"},
      {simulate + "tp=4,pp=128,dp=1", 1, "96 layers are fewer than pp 128 stages"},
      {simulate + "tp=8,pp=8,dp=8,microbatch=5", 2, "microbatch"},
      {simulate + "tp=1,pp=4,dp=128", 1, "GiB needed, 80.0 GiB there, stage 0"},
      {simulate + "tp=8,pp=8,dp=4,cp=2", 1, "context parallelism needs flash attention"},
  };
  for (const Refused& row : table) {
    expect_refused(row);
  }
}

// Every exchange of 16,384 GPUs, several a layer: refused before any of them is made.
TEST(CommandLine, RefusesMoreTransfersThanItCanHold) {
  const ScratchFolder scratch;
  const std::string scenario =
      scratch.write("many.yaml",
                    "model: mixtral-8x7b\nhardware: dgx-h100-400g-16k\nsoftware: megatron-2024\n"
                    "sequence_length: 4096\nglobal_batch: 32768\nnum_gpus: 16384\n");
  for (const char* fidelity : {"replicas", "full", "explicit"}) {
    const CommandResult result =
        portolan_command("simulate " + scenario + " --fidelity " + fidelity +
                         " --strategy tp=2,pp=4,dp=2048,ep=8,microbatch=1,schedule=1f1b,zero=1");
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(result.err.find(std::string("portolan: fidelity ") + fidelity + ": "), 0U) << result.err;
    EXPECT_NE(result.err.find(" transfers (allowed here: 8000000)\n"), std::string::npos) << result.err;
  }
}

TEST(CommandLine, WhyExplainsInfeasibleCandidatesWithExitZero) {
  const ScratchFolder scratch;
  const std::string scenario =
      scratch.write("what-if.yaml",
                    "model: megatron-18.4b\nhardware: a100-node\nsoftware: megatron-2022\n"
                    "sequence_length: 2048\nglobal_batch: 8\nnum_gpus: 8\n");
  const CommandResult result =
      portolan_command("why " + scenario + " --strategy tp=1,pp=1,dp=8,microbatch=1 --json");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto json = result.json();
  EXPECT_EQ(json["verdict"], "rejected");
  EXPECT_NE(json["reasons"][0].get<std::string>().find("80.0 GiB there"), std::string::npos)
      << json["reasons"];
  EXPECT_LT(json["winner"]["step_time_s"].get<double>(), json["estimate"]["step_time_s"].get<double>() * 100);
}

// What the executor has not learned is said in the strategy's words, not in those of its kernels.
TEST(CommandLine, RunSaysWhatOfAStrategyItCannotExecute) {
  const ScratchFolder scratch;
  std::string scenario;
  const std::string rest =
      "hardware:\n"
      "  name: two\n  num_nodes: 1\n"
      "  gpus_per_node: 2\n"
      "  device: {memory: 1 GiB, peak: {fp32: 1 TFLOP/s, bf16: 1 TFLOP/s}, memory_bandwidth: 10 GB/s,\n"
      "           gemm_efficiency: 0.5, attention_gemm_efficiency: 0.5, memory_efficiency: 0.5}\n"
      "  nvlink: {bandwidth: 10 GB/s, efficiency: 1}\n"
      "  pcie: {bandwidth: 10 GB/s, efficiency: 1}\n"
      "software: portolan\nsequence_length: 16\nglobal_batch: 8\nprecision: fp32\n";
  const std::string model =
      "model: {num_layers: 4, hidden_size: 32, num_heads: 4, vocab_size: 64, max_positions: 16";
  scenario = scratch.write("two.yaml", model + "}\n" + rest);
  const std::string plan = scratch.file("plan.json");
  const auto expect_run_refused = [&](const std::string& strategy, const std::string& message) {
    const std::string words = "microbatch=1,recompute=none,sequence_parallel=false," + strategy;
    const CommandResult made =
        portolan_command("plan " + scenario + " --strategy " + words + " --out " + plan);
    ASSERT_EQ(made.exit_code, 0) << strategy << ": " << made.err;
    expect_refused({"run " + plan + " --steps 1 --out " + scratch.file("run.h5"), 1, message});
  };
  const std::string staged = "tp=1,pp=2,dp=1,zero=0,";
  const std::string shared = "tp=1,pp=1,dp=2,schedule=1f1b,";
  expect_run_refused("tp=2,pp=1,dp=1,schedule=1f1b,zero=0", "run cannot execute tp=2 yet (allowed: 1)");
  expect_run_refused(staged + "schedule=zb-h1",
                     "run cannot execute schedule=zb-h1 yet (allowed: gpipe, 1f1b)");
  expect_run_refused(staged + "schedule=interleaved,virtual_stages=2",
                     "run cannot execute schedule=interleaved yet (allowed: gpipe, 1f1b)");
  for (const char* zero : {"zero=1", "zero=2", "zero=3"}) {
    expect_run_refused(shared + zero, std::string("run cannot execute ") + zero + " yet (allowed: 0)");
  }
  expect_run_refused(shared + "zero=0,precision=bf16",
                     "run cannot execute precision=bf16 yet (allowed: fp32)");
  expect_run_refused(shared + "zero=0,offload=optimizer",
                     "run cannot execute offload=optimizer yet (allowed: none)");
  expect_run_refused(shared + "zero=0,overlap=true", "run cannot execute overlap=true yet (allowed: false)");
  scenario = scratch.write("lossy.yaml", model + "}\n" + rest + "lossy_gradients: true\n");
  expect_run_refused(shared + "zero=0,compression=powersgd:2",
                     "run cannot execute compression=powersgd:2 yet (allowed: none)");
  scenario = scratch.write("window.yaml", model + ", sliding_window: 8}\n" + rest);
  expect_run_refused(
      shared + "zero=0",
      "run cannot execute a model whose sliding_window is 8 yet (allowed: none, or the sequence's "
      "16 tokens and more)");
}

TEST(CommandLine, LeavesNothingHalfWritten) {
  const ScratchFolder scratch;
  EXPECT_EQ(portolan_command("plan gpt3-175b-512xa100 --strategy tp=7 --out " + scratch.file("plan.json"))
                .exit_code,
            1);
  EXPECT_EQ(scratch.num_files(), 0U);
}

TEST(CommandLine, HelpHasAnExample) {
  for (const char* verb : {"plan", "why", "simulate", "calibrate", "run", "compare"}) {
    const CommandResult result = portolan_command(std::string(verb) + " --help");
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_NE(result.out.find("Example: portolan " + std::string(verb)), std::string::npos) << result.out;
  }
  EXPECT_EQ(portolan_command("--version").out.substr(0, 9), "portolan ");
}

}  // namespace
}  // namespace portolan
