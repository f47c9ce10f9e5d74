#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "catalog/scenario_yaml.h"

namespace portolan {
namespace {

const CatalogPaths kShippedFiles{{PORTOLAN_SOURCE_DIR "/scenarios"}};

constexpr const char* kQuestion =
    "model: llama2-7b\n"
    "hardware: dgx-a100-80g-hdr\n"
    "software: generic\n"
    "sequence_length: 4096\n"
    "global_batch: 256\n"
    "num_gpus: 64\n"
    "hardware_overrides: {device: {memory: 60 GiB}}\n";

Result<Scenario> read_with(const std::string& key, const std::string& value) {
  return read_scenario_text(kQuestion, "folder/what.yaml", kShippedFiles, std::nullopt,
                            {{.option = "--vary", .key = key, .value = value}});
}

TEST(ScenarioOverride, ChangesWhatTheFileSays) {
  EXPECT_EQ(read_with("num_gpus", "128")->num_gpus, 128);
  EXPECT_EQ(read_with("precision", "fp16")->precision, Precision::kFp16);
  EXPECT_EQ(read_with("strategy.tp", "4")->constraints.tensor_parallel, 4);
  EXPECT_EQ(read_with("hardware", "dgx-h100")->hardware.name, "dgx-h100");
  EXPECT_EQ(read_with("hardware", "dgx-h100")->hardware.device.memory.value, Bytes(60 * kGibi))
      << "the file's overrides stay";
  EXPECT_EQ(read_with("model.num_layers", "8")->model.num_layers, 8);
  EXPECT_EQ(read_with("software.dropout", "false")->software.dropout.value, false);
  EXPECT_EQ(read_with("hardware.device", "a100-sxm-40g")->hardware.device.memory.value,
            read_with("hardware_overrides.device.memory", "40 GiB")->hardware.device.memory.value);
}

// Above the file's own overrides; the option is the figure's source.
TEST(ScenarioOverride, FiguresWithinAPart) {
  const Result<Scenario> scenario = read_with("hardware.device.memory", "40 GiB");
  ASSERT_TRUE(scenario) << scenario.error().message;
  EXPECT_EQ(scenario->hardware.device.memory, (Sourced<Bytes>{Bytes(40 * kGibi), "--vary"}));
  EXPECT_EQ(scenario->hardware.device.power_busy.value, Watts(400));
  EXPECT_DOUBLE_EQ(read_with("hardware.nic.bandwidth", "100 Gbit/s")->hardware.nic.bandwidth.value.value,
                   12.5e9);
}

struct BadOverride {
  std::string key;
  std::string value;
  std::string message;
};

TEST(ScenarioOverride, SaysWhichOptionIsWrong) {
  const std::vector<BadOverride> table = {
      {"num_gpus", "7x", "--vary: num_gpus: \"7x\" is not a whole number (allowed: 1 to 1000000)"},
      {"num_gpu", "7", "--vary: num_gpu: unknown key (did you mean \"num_gpus\"?)"},
      {"num_gpus", "4096",
       "--vary: num_gpus: \"4096\" is more than hardware dgx-a100-80g-hdr has (allowed: 1 to 512)"},
      {"hardware.nic.bandwidth", "25",
       "--vary: hardware.nic.bandwidth: \"25\" has no unit (try \"25 GB/s\")"},
      {"hardware.nick.bandwidth", "25 GB/s", "--vary: hardware.nick: unknown key (did you mean \"nic\"?)"},
      {"strategy.tp", "0", "--vary: strategy.tp: \"0\" is out of range (allowed: 1 to 1000000)"},
      {"num_gpus.x", "1", "--vary: num_gpus: a mapping where a whole number is expected"},
  };
  for (const BadOverride& bad : table) {
    const Result<Scenario> scenario = read_with(bad.key, bad.value);
    ASSERT_FALSE(scenario) << bad.key;
    EXPECT_EQ(scenario.error().message, bad.message);
  }
  const Result<Scenario> no_file = read_with("hardware", "nothing-like-it");
  ASSERT_FALSE(no_file);
  EXPECT_TRUE(no_file.error().message.starts_with("--vary: hardware: ")) << no_file.error().message;
}

}  // namespace
}  // namespace portolan
