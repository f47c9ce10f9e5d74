#include <gtest/gtest.h>

#include <string>

#include "catalog/hardware_yaml.h"
#include "tests/unit/catalog/measured/nccl_text.h"
#include "tests/unit/cli/command.h"

namespace portolan {
namespace {

constexpr double kNvlinkEfficiency = 0.6, kNicEfficiency = 0.45;
constexpr double kIntraStep_s = 5e-6, kInterStep_s = 20e-6;

/// An all-reduce on nodes of 8 A100s with 8 cards of 200 Gbit/s: a ring passes 2 (n-1)/n of the size over
/// each link, and as many steps as turns times ranks.
NcclText all_reduce(int num_hosts) {
  NcclText text;
  text.num_hosts = num_hosts;
  text.sizes.clear();
  for (std::int64_t size = 1024; size <= std::int64_t{4} << 30; size *= 8) {
    text.sizes.push_back(size);
  }
  text.time = [num_hosts](std::int64_t size, bool) {
    const double n = 8.0 * num_hosts, turns = 2 * (n - 1) / n;
    const double crossings = num_hosts > 1 ? num_hosts : 0;
    const double links = num_hosts > 1 ? 8 * 25e9 * kNicEfficiency : 300e9 * kNvlinkEfficiency;
    return turns *
           (static_cast<double>(size) / links + (n - crossings) * kIntraStep_s + crossings * kInterStep_s);
  };
  return text;
}

std::string scenario_on(const std::string& hardware) {
  return "model: gpt2-124m\nhardware: " + hardware +
         "\nsoftware: generic\nsequence_length: 1024\nglobal_batch: 32\nnum_gpus: 16\nprecision: bf16\n";
}

TEST(CalibrateFromNcclTests, FillsInLinksThatAStepIsPricedBy) {
  const ScratchFolder scratch;
  const std::string out = scratch.file("new.yaml");
  const CommandResult result = portolan_command(
      "calibrate --json --from nccl-tests " + scratch.write("one.txt", nccl_text(all_reduce(1))) + " " +
      scratch.write("two.txt", nccl_text(all_reduce(2))) + " --hardware dgx-a100-80g-hdr --out " + out);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto json = result.json();
  ASSERT_EQ(json["constants"].size(), 4U);
  const double truth[] = {kNvlinkEfficiency, kIntraStep_s, kNicEfficiency, kInterStep_s};
  for (std::size_t i = 0; i < 4; ++i) {
    const auto& constant = json["constants"][i];
    EXPECT_TRUE(constant["is_set"]) << constant;
    EXPECT_NEAR(constant["value"].get<double>() / truth[i], 1, 0.01) << constant;
  }
  EXPECT_LT(json["error_pct"]["held_back"]["mean"].get<double>(), 1);
  EXPECT_EQ(json["collective_points"], 0);  // a point does not say how its ranks lie on nodes
  const std::string written = content_of(out);
  EXPECT_NE(written.find("of nccl-tests (one.txt and 1 more files)"), std::string::npos);
  const Hardware hardware = read_hardware_text(written, "new.yaml").value();
  EXPECT_EQ(hardware.nic.bandwidth.value, BytesPerSecond(25e9));
  EXPECT_FALSE(hardware.nic.efficiency.unvalidated);

  const std::string strategy =
      " --json --fidelity closed-form --strategy tp=1,pp=1,dp=16,zero=0,microbatch=1";
  const auto before =
      portolan_command("simulate " + scratch.write("b.yaml", scenario_on("dgx-a100-80g-hdr")) + strategy)
          .json();
  const auto after =
      portolan_command("simulate " + scratch.write("a.yaml", scenario_on(out)) + strategy).json();
  const auto part = [](const nlohmann::json& prediction, const char* of) {
    return prediction["estimate"]["breakdown_s"][of].get<double>();
  };
  EXPECT_GT(part(after, "exposed_data"), 1.3 * part(before, "exposed_data"));
  EXPECT_EQ(part(after, "optimizer"), part(before, "optimizer"));
}

TEST(CalibrateFromNcclTests, PrintsConstantsRowsAndErrors) {
  const ScratchFolder scratch;
  const CommandResult result =
      portolan_command("calibrate --from nccl-tests " + scratch.write("one.txt", nccl_text(all_reduce(1))) +
                       " --hardware a100-node --out " + scratch.file("new.yaml"));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* text :
       {"1 tests of 16 times used", "nvlink.efficiency    0.780    0.600",
        "intra_node_step    3.10 us  5.00 us", "all_reduce      8      1    16", "new.yaml"}) {
    EXPECT_NE(result.out.find(text), std::string::npos) << text << "\n" << result.out;
  }
}

TEST(CalibrateFromNcclTests, RefusesInOneLine) {
  const ScratchFolder scratch;
  const std::string good = nccl_text(all_reduce(1));
  NcclText nine = all_reduce(1);
  nine.ranks_per_host = 9;
  const struct {
    std::string arguments;
    const char* message;
  } cases[] = {
      {scratch.write("w.txt", with(good, "      0", "      7")) + " --hardware a100-node",
       "#wrong is 7 (must be 0)"},
      {scratch.write("e.txt", "nothing\n") + " --hardware a100-node", "e.txt: has no table of nccl-tests"},
      {scratch.write("n.txt", nccl_text(nine)) + " --hardware a100-node",
       "9 ranks on host node0, but a node of a100-node has 8 GPUs"},
      {scratch.write("h.txt", nccl_text(all_reduce(2))) + " --hardware a100-node",
       "ranks on 2 hosts, but a100-node has 1 nodes"},
      {scratch.write("g.txt", good), "--hardware is missing"},
      {"nowhere.txt --hardware a100-node", "nowhere.txt: no such file"},
  };
  for (const auto& [arguments, message] : cases) {
    const CommandResult result =
        portolan_command("calibrate --from nccl-tests " + arguments + " --out " + scratch.file("out.yaml"));
    EXPECT_EQ(result.exit_code, 2) << arguments;
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
    EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << result.err;
    EXPECT_EQ(content_of(scratch.file("out.yaml")), "");
  }
}

}  // namespace
}  // namespace portolan
