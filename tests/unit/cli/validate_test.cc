#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/unit/cli/command.h"

namespace portolan {
namespace {

constexpr const char* kTable =
    "id,prefix,source_family,cluster,software,num_gpus,layers,hidden,heads,vocab,seq_len,precision,global_"
    "batch,"
    "microbatch,tp,pp,dp,seq_parallel,zero_fsdp,recompute,flash_attn,sec_per_iter\n"
    "one,T,made-up,a100-node,megatron-2021,8,4,2048,16,51200,1024,fp16,8,1,8,1,1,no,0,full,no,1\n"
    "open,T,made-up,a100-node,megatron-2021,8,4,2048,16,51200,1024,fp16,8,,8,1,1,no,0,full,no,1\n"
    "nowhere,T,made-up,no-such-cluster,megatron-2021,8,4,2048,16,51200,1024,fp16,8,1,8,1,1,no,0,full,no,1\n";

TEST(Validate, PredictsRowsAndSkipsByName) {
  const ScratchFolder scratch;
  const CommandResult result = portolan_command("validate --json --truth " + scratch.write("t.csv", kTable));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto json = result.json();
  ASSERT_EQ(json["rows"].size(), 2U);
  const auto& one = json["rows"][0];
  EXPECT_EQ(one["id"], "one");
  EXPECT_EQ(one["measured_s"], 1);
  EXPECT_NEAR(one["error_pct"].get<double>(), 100 * (one["predicted_s"].get<double>() - 1), 1e-9);
  EXPECT_EQ(one["range_s"], nullptr);
  EXPECT_EQ(one["assumed"]["ffn"], "8192");
  const auto& range = json["rows"][1]["range_s"];
  EXPECT_LT(range[0].get<double>(), range[1].get<double>());
  EXPECT_EQ(json["groups"][0]["rows"], 2);
  EXPECT_EQ(json["groups"][0]["ranges"], 1);
  EXPECT_EQ(json["skipped"][0]["id"], "nowhere");
  EXPECT_EQ(json["skipped"][0]["reason"], "cluster: no hardware file describes no-such-cluster");
  // What is predicted for a row is what simulate predicts for it.
  const CommandResult simulated = portolan_command(
      "simulate --json --strategy "
      "tp=8,pp=1,dp=1,microbatch=1,zero=0,recompute=full,sequence_parallel=false " +
      scratch.write(
          "s.yaml",
          "model: {name: m, num_layers: 4, hidden_size: 2048, num_heads: 16, ffn_size: 8192, vocab_size: "
          "51200, max_positions: 1024}\n"
          "hardware: a100-node\nsoftware: megatron-2021\nsequence_length: 1024\nglobal_batch: 8\n"
          "num_gpus: 8\nprecision: fp16\n"));
  ASSERT_EQ(simulated.exit_code, 0) << simulated.err;
  EXPECT_NEAR(simulated.json()["estimate"]["step_time_s"].get<double>(), one["predicted_s"].get<double>(),
              1e-12);
}

TEST(Validate, TakesClustersThatAreNotShipped) {
  const ScratchFolder scratch;
  std::filesystem::create_directories(scratch.file("mine/hardware"));
  std::filesystem::copy_file(PORTOLAN_SOURCE_DIR "/scenarios/hardware/a100-node.yaml",
                             scratch.file("mine/hardware/no-such-cluster.yaml"));
  const CommandResult result = portolan_command("validate --json --catalog " + scratch.file("mine") +
                                                " --truth " + scratch.write("t.csv", kTable));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.json()["rows"].size(), 3U);
  EXPECT_EQ(result.json()["skipped"].size(), 0U);
}

TEST(Validate, ATableThatIsNoneIsOneLine) {
  const ScratchFolder scratch;
  const CommandResult result =
      portolan_command("validate --truth " + scratch.write("t.csv", "name,tp\na,8\n"));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("t.csv: has no column id"), std::string::npos) << result.err;
}

TEST(Validate, ACellThatSaysNothingKnownSkipsItsRow) {
  const ScratchFolder scratch;
  const CommandResult result =
      portolan_command("validate --json --truth " + scratch.write("t.csv", "id,tp\na,many\nb,8\n"));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const nlohmann::json skipped = result.json()["skipped"];
  ASSERT_EQ(skipped.size(), 2U);
  EXPECT_NE(skipped[0]["reason"].get<std::string>().find("t.csv:2: tp: \"many\" is not a whole number"),
            std::string::npos)
      << skipped;
}

}  // namespace
}  // namespace portolan
