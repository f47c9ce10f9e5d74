#include <gtest/gtest.h>

#include "tests/unit/cli/command.h"

namespace portolan {
namespace {

constexpr const char* kStrategy =
    "--strategy tp=8,pp=8,virtual_stages=2,schedule=interleaved,microbatch=1,recompute=selective,zero=1,"
    "sequence_parallel=true,axis_order=tensor-data-pipeline ";

/// A plan of GPT-3 175B in `scratch`.
std::string plan_file(const ScratchFolder& scratch) {
  const std::string file = scratch.file("plan.json");
  const CommandResult planned =
      portolan_command("plan gpt3-175b-512xa100 " + std::string(kStrategy) + "--out " + file);
  EXPECT_EQ(planned.exit_code, 0) << planned.err;
  return file;
}

// The step of the exported script is the plan's step, by every rung of fidelity that sees both.
TEST(Launch, TheExportedScriptsStepIsThePlansStep) {
  const ScratchFolder scratch;
  const std::string plan = plan_file(scratch);
  const std::string folder = scratch.file("launch");
  const CommandResult exported =
      portolan_command("export " + plan + " --to megatron --out " + folder + " --json");
  ASSERT_EQ(exported.exit_code, 0) << exported.err;
  const auto json = exported.json();
  EXPECT_EQ(json["files"], (std::vector<std::string>{folder + "/train.sh", folder + "/hostfile",
                                                     folder + "/task_hosts", folder + "/ranks.csv"}));
  EXPECT_TRUE(json["inexpressible"].empty());
  EXPECT_EQ(json["fields"][0]["as"], "--tensor-model-parallel-size 8");
  EXPECT_EQ(content_of(folder + "/train.sh").substr(0, 11), "#!/bin/bash");

  const CommandResult direct = portolan_command("simulate " + plan + " --json");
  const CommandResult script =
      portolan_command("simulate --megatron-args " + folder +
                       "/train.sh --hardware dgx-a100-80g-hdr --software megatron-2022 --json");
  ASSERT_EQ(script.exit_code, 0) << script.err;
  EXPECT_EQ(script.json()["estimate"]["step_time_s"], direct.json()["estimate"]["step_time_s"]);
  EXPECT_EQ(script.json()["estimate"]["program_hash"], direct.json()["estimate"]["program_hash"]);
  EXPECT_EQ(script.json()["launch"]["file"], folder + "/train.sh");
  EXPECT_TRUE(script.json()["launch"]["unknown"].empty());
  EXPECT_TRUE(script.json()["launch"]["assumed"].empty());
  EXPECT_TRUE(direct.json()["launch"].is_null());
}

TEST(Launch, OtherFrameworksFiles) {
  const ScratchFolder scratch;
  const std::string plan = plan_file(scratch);
  for (const auto& [framework, file] :
       {std::pair("deepspeed", "ds_config.json"), std::pair("torchtitan", "train.toml")}) {
    const std::string folder = scratch.file(framework);
    const CommandResult result =
        portolan_command("export " + plan + " --to " + framework + " --out " + folder);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_NE(result.out.find("inexpressible: "), std::string::npos);
    EXPECT_NE(result.out.find("wrote " + folder + "/" + file), std::string::npos);
    EXPECT_FALSE(content_of(folder + "/" + file).empty());
  }
}

TEST(Launch, WhatAScriptLeavesOutIsTheScenarios) {
  const CommandResult result = portolan_command(
      "simulate gpt3-175b-512xa100 --megatron-args tests/golden/launch/gpt-arrays.sh --fidelity closed-form");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("assumed: --vocab-size 51200 (the scenario's)\n"), std::string::npos)
      << result.out;
  EXPECT_NE(result.out.find("script, not scenario: precision fp16, not bf16\n"), std::string::npos);
  EXPECT_NE(result.out.find("--tensor-model-parallel-size 8 (48)"), std::string::npos);
  const CommandResult set = portolan_command(
      "simulate --megatron-args tests/golden/launch/llama-sizes.sh --hardware dgx-h100 --set 1=70b --set "
      "NNODES=8 "
      "--fidelity closed-form --json");
  ASSERT_EQ(set.exit_code, 0) << set.err;
  EXPECT_EQ(set.json()["estimate"]["strategy"]["dp"], 2);
  EXPECT_EQ(set.json()["launch"]["unknown"][0]["flag"], "--some-flag-of-a-fork");
  EXPECT_EQ(set.json()["launch"]["unknown"][0]["line"], 49);
}

TEST(Launch, ErrorsAreOneLine) {
  const ScratchFolder scratch;
  const std::string plan = plan_file(scratch);
  const std::string script =
      scratch.write("bad.sh",
                    "TP=3\ntorchrun --nproc_per_node 8 --nnodes 2 pretrain_gpt.py --num-layers 2 "
                    "--hidden-size 64 --num-attention-heads 4 --seq-length 64 "
                    "--micro-batch-size 1 --tensor-model-parallel-size $TP --bf16\n");
  const std::string file = scratch.write("file", "x");
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"export " + plan + " --to nemo --out " + scratch.file("x"),
       "--to: \"nemo\" is not known (allowed: megatron, deepspeed, torchtitan)"},
      {"export " + plan + " --to megatron --out " + file, "--out: " + file + ": is no folder"},
      {"export " + plan + " --to megatron --out /nowhere/x",
       "--out: /nowhere/x: cannot be made: No such file or directory"},
      {"export gpt3-175b-512xa100 --to megatron --out " + scratch.file("x"),
       "gpt3-175b-512xa100: is no plan file (make one: portolan plan SCENARIO --out PLAN)"},
      {"simulate --megatron-args " + script + " --hardware dgx-h100",
       script +
           ":1: --tensor-model-parallel-size: tp 3 x pp 1 x cp 1 = 3 do not divide the 16 ranks (line 2: "
           "--nproc_per_node x --nnodes)"},
      {"simulate --megatron-args " + script,
       "--megatron-args: " + script + " does not say what it runs on (needed: --hardware, or a SCENARIO)"},
      {"simulate --megatron-args " + script + " --hardware dgx-h100 --set 8",
       "--set: \"8\" is not NAME=VALUE (try --set NNODES=8)"},
      {"simulate --megatron-args " + script + " --hardware dgx-h100 --strategy tp=1",
       "--strategy: " + script + " has its strategy (allowed: with a scenario alone)"},
      {"simulate " + plan + " --megatron-args " + script,
       plan + ": is a plan, which says all that a script does (allowed beside --megatron-args: a scenario)"},
      {"simulate gpt3-175b-512xa100 --software megatron-2024",
       "--software: without --megatron-args (allowed: with it; a scenario has its software)"},
      {"simulate", "PLAN: is not given (needed: a plan, a scenario or --megatron-args)"},
  };
  for (const auto& [arguments, message] : rows) {
    const CommandResult result = portolan_command(arguments);
    EXPECT_EQ(result.exit_code, 2) << arguments;
    EXPECT_EQ(result.err, "portolan: " + message + "\n") << arguments;
  }
}

}  // namespace
}  // namespace portolan
