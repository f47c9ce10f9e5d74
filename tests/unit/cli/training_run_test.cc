#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "tests/unit/cli/command.h"

namespace portolan {
namespace {

constexpr const char* kOneNode =
    "model: gpt2-124m\nhardware: p4d\nsoftware: generic\nsequence_length: 1024\nglobal_batch: 64\n"
    "num_gpus: 8\nstrategy: {tp: 1, pp: 1, microbatch: 1, recompute: none, zero: 1}\n";

// 1e9 tokens over steps of 65,536.
TEST(TrainingRunVerbs, WithoutFailuresDaysAreStepsTimesStepTime) {
  const ScratchFolder scratch;
  const std::string file = scratch.write("one.yaml", kOneNode);
  for (const char* verb : {"plan", "simulate"}) {
    const CommandResult result = portolan_command(std::string(verb) + " --json --tokens 1e9 " + file);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const nlohmann::json answer = result.json();
    const nlohmann::json& run = answer["training_run"];
    const double step_s = answer[std::string(verb) == "plan" ? "best" : "estimate"]["step_time_s"];
    EXPECT_EQ(run["num_steps"], 15259);
    EXPECT_NEAR(run["duration_s"]["p50"].get<double>() / (15259 * step_s), 1, 1e-5);
    EXPECT_GT(run["duration_s"]["p90"], run["duration_s"]["p50"]);
    EXPECT_EQ(run["failures"], 0);
    EXPECT_TRUE(run["mtbf_s"].is_null());
    EXPECT_TRUE(run["checkpoints"].is_null());
    EXPECT_TRUE(run["total_cost"].is_null()) << "the hardware has no price";
    EXPECT_GT(run["total_energy_j"]["p50"], 0);
    const CommandResult table = portolan_command(std::string(verb) + " --tokens 1e9 " + file);
    EXPECT_NE(table.out.find("no failures"), std::string::npos) << table.out;
  }
  const CommandResult none = portolan_command("plan --json " + file);
  EXPECT_TRUE(none.json()["training_run"].is_null());
}

TEST(TrainingRunVerbs, FailuresTakeTimeAndMoney) {
  const ScratchFolder scratch;
  const auto run_of = [&](const std::string& rest) {
    const std::string file = scratch.write("one.yaml", std::string(kOneNode) + rest);
    const CommandResult result = portolan_command("simulate --json " + file);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.json()["training_run"];
  };
  const std::string price = "hardware_overrides: {price_per_gpu_hour: 2}\n";
  const nlohmann::json calm = run_of(price + "training_run: {tokens: 1e10}\n");
  const nlohmann::json stormy = run_of(
      price + "training_run: {tokens: 1e10, node_mtbf: 2 h, restart_time: 10 min, checkpoint_time: 30 s}\n");
  EXPECT_GT(stormy["duration_s"]["p50"], calm["duration_s"]["p50"]);
  EXPECT_GT(stormy["total_cost"]["p90"], calm["total_cost"]["p90"]);
  EXPECT_LT(stormy["goodput_pct"], 100);
  EXPECT_EQ(stormy["checkpoints"]["is_optimum"], true);
  EXPECT_NEAR(calm["total_cost"]["p50"].get<double>(), 2 * 8 * calm["duration_s"]["p50"].get<double>() / 3600,
              1e-6);
}

TEST(TrainingRunVerbs, FewestGpusForADeadline) {
  const ScratchFolder scratch;
  const std::string file = scratch.write(
      "many.yaml",
      "model: gpt2-124m\nhardware: p4d\nsoftware: generic\nsequence_length: 1024\nglobal_batch: 512\n"
      "num_gpus: 8\nhardware_overrides: {num_nodes: 4}\n"
      "strategy: {tp: 1, pp: 1, microbatch: 1, recompute: none, zero: 1}\n");
  const auto size_for = [&](double deadline_s) {
    const CommandResult result =
        portolan_command("plan --json --tokens 1e10 --gpus-for-deadline --deadline " +
                         std::to_string(deadline_s) + "s " + file);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.json();
  };
  const nlohmann::json one_node = size_for(1e9);
  EXPECT_EQ(one_node["gpus_for_deadline"]["smallest"]["training_run"]["num_gpus"], 8);
  const double on_one_node = one_node["training_run"]["duration_s"]["p90"];
  const nlohmann::json two_nodes = size_for(0.999 * on_one_node);
  const nlohmann::json& found = two_nodes["gpus_for_deadline"]["smallest"]["training_run"];
  EXPECT_EQ(found["num_gpus"], 16) << two_nodes["gpus_for_deadline"];
  EXPECT_LE(found["duration_s"]["p90"], 0.999 * on_one_node);
  const nlohmann::json too_soon = size_for(on_one_node / 100);
  EXPECT_TRUE(too_soon["gpus_for_deadline"]["smallest"].is_null());
}

TEST(TrainingRunVerbs, WrongOptionsAreOneLine) {
  const ScratchFolder scratch;
  const std::string file = scratch.write("one.yaml", kOneNode);
  for (const char* options : {"--tokens 300B", "--tokens 0", "--deadline 3d", "--tokens 1e9 --deadline soon",
                              "--tokens 1e9 --deadline 2027-01-01", "--gpus-for-deadline --tokens 1e9"}) {
    const CommandResult result = portolan_command("plan " + file + " " + options);
    EXPECT_EQ(result.exit_code, 2) << options;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
}

}  // namespace
}  // namespace portolan
