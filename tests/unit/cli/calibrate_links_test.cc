#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "catalog/hardware_yaml.h"
#include "tests/unit/catalog/measured/nccl_text.h"
#include "tests/unit/cli/command.h"

namespace portolan {
namespace {

constexpr double kNvlinkEfficiency = 0.6, kNicEfficiency = 0.45;
constexpr double kBase_s = 60e-6, kInterStep_s = 20e-6;
constexpr double kIntraStep_s = 1e-6;  // as shipped: of 8 ranks alone it is not told from the base

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
    return kBase_s + turns * (static_cast<double>(size) / links + (n - crossings) * kIntraStep_s +
                              crossings * kInterStep_s);
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
  ASSERT_EQ(json["constants"].size(), 5U);
  const double truth[] = {kNvlinkEfficiency, kBase_s, kIntraStep_s, kNicEfficiency, kInterStep_s};
  for (std::size_t i = 0; i < 5; ++i) {
    const auto& constant = json["constants"][i];
    EXPECT_EQ(constant["is_set"], i != 2) << constant;
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
  for (const char* text : {"1 tests of 16 times used", "nvlink.efficiency     0.722     0.600",
                           "collective_base    48.00 us  60.00 us", "stays: not told from the base",
                           "all_reduce      8      1    16", "new.yaml"}) {
    EXPECT_NE(result.out.find(text), std::string::npos) << text << "\n" << result.out;
  }
}

/// The same of a table, on one, two and three nodes; nodes of another network are slower.
std::string collective_rows() {
  std::string table = "gpu,inter_link,nodes,num_gpus,collective,size_bytes,time_us\n";
  for (const int nodes : {1, 2, 3}) {
    const NcclText text = all_reduce(nodes);
    for (const std::int64_t size : text.sizes) {
      const double time_us = text.time(size, true) * 1e6;
      for (const auto& [gpu, link, slower] :
           {std::tuple{"A100-SXM", "HDR", 1}, {"A100-SXM", "Ethernet", 9}, {"V100", "HDR", 5}}) {
        const double times = nodes == 1 && gpu[0] == 'A' ? 1 : slower;
        table +=
            fmt::format("{},{},{},{},all_reduce,{},{}\n", gpu, link, nodes, 8 * nodes, size, time_us * times);
      }
    }
  }
  return table + "A100-SXM,HDR,2,16,all_reduce,1G-8G,91\n";
}

TEST(CalibrateFromCollectiveRows, FindsWhatNcclTestsFind) {
  const ScratchFolder scratch;
  const std::string out = scratch.file("new.yaml");
  const std::string command = "calibrate --from collectives-csv " +
                              scratch.write("c.csv", collective_rows()) +
                              " --hardware dgx-a100-80g-hdr --gpu A100 --inter-link HDR --out " + out;
  const CommandResult result = portolan_command(command + " --json");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const double truth[] = {kNvlinkEfficiency, kBase_s, kIntraStep_s, kNicEfficiency, kInterStep_s};
  for (std::size_t i = 0; i < 5; ++i) {
    const auto constant = result.json()["constants"][i];
    EXPECT_NEAR(constant["value"].get<double>() / truth[i], 1, 0.01) << constant;
  }
  EXPECT_NE(content_of(out).find("times of c.csv: "), std::string::npos);
  const std::string text = portolan_command(command).out;
  EXPECT_NE(text.find("32 times of 3 groups of ranks used; 41 other rows left out"), std::string::npos)
      << text;
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
