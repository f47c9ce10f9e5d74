#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>

#include "tests/unit/cli/command.h"

namespace portolan {
namespace {

/// Two layers on 512 GPUs: every baseline in seconds.
constexpr const char* kTiny =
    "name: tiny\nnum_layers: 2\nhidden_size: 1024\nnum_heads: 8\nffn_size: 4096\nvocab_size: 51200\n"
    "max_positions: 2048\nnormalization: layer_norm\nactivation: gelu\nposition: learned\nlinear_bias: true\n"
    "tied_embeddings: true\n";

TEST(Reproduce, MakesTheWholeFolder) {
  const ScratchFolder scratch;
  std::filesystem::create_directories(scratch.file("models"));
  scratch.write("models/tiny.yaml", kTiny);
  const CommandResult result =
      portolan_command("reproduce paper --models tiny --baselines-only --json --catalog " + scratch.file("") +
                       " --out " + scratch.file("results"));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const nlohmann::json answer = result.json()["results"];
  ASSERT_EQ(answer.size(), 1);
  EXPECT_EQ(answer[0]["name"], "paper");
  EXPECT_EQ(answer[0]["rows"], 18);
  const std::filesystem::path folder = answer[0]["folder"].get<std::string>();
  for (const auto& file : answer[0]["files"]) {
    EXPECT_GT(std::filesystem::file_size(folder / file.get<std::string>()), 0) << file;
  }
  std::set<std::string> baselines;
  for (const auto& gain : answer[0]["gains"]) {
    baselines.insert(gain["baseline"]);
    EXPECT_TRUE(gain["time_reduction"]["pct"].is_number());
    EXPECT_EQ(gain["reaches_time"], gain["time_reduction"]["pct"] >= 38);
  }
  EXPECT_EQ(baselines.size(), 16) << "all fit";
  EXPECT_NE(content_of((folder / "README.md").string()).find("## tiny, A100 80 GB"), std::string::npos);
}

TEST(Reproduce, SaysWhatItCannotMake) {
  const CommandResult name = portolan_command("reproduce poster");
  EXPECT_EQ(name.exit_code, 2);
  EXPECT_EQ(name.err, "portolan: reproduce: \"poster\" is no result (allowed: paper)\n");
  const CommandResult model = portolan_command("reproduce paper --models gpt3-176b");
  EXPECT_EQ(model.exit_code, 2);
  EXPECT_TRUE(model.err.starts_with("portolan: --models: ")) << model.err;
}

}  // namespace
}  // namespace portolan
