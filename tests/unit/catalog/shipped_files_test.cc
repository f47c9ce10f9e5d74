#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "catalog/hardware_yaml.h"
#include "catalog/model_yaml.h"
#include "catalog/scenario_yaml.h"
#include "catalog/software_yaml.h"

namespace portolan {
namespace {

namespace fs = std::filesystem;

const fs::path kScenarios = fs::path(PORTOLAN_SOURCE_DIR) / "scenarios";

template <typename Read>
int read_folder(const fs::path& folder, Read read) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml" && entry.path().stem() != "this-machine") {
      const auto result = read(entry.path());
      EXPECT_TRUE(result) << result.error().message;
      EXPECT_TRUE(!result || result->name == entry.path().stem()) << entry.path();
      ++count;
    }
  }
  return count;
}

TEST(ShippedFiles, AllRead) {
  EXPECT_GE(read_folder(kScenarios / "models", read_model), 8);
  EXPECT_GE(read_folder(kScenarios / "hardware", read_hardware), 1);
  EXPECT_GE(read_folder(kScenarios / "software", read_software), 2);
}

TEST(ShippedFiles, EveryFigureOfTheHardwareHasASource) {
  const Hardware hardware = read_hardware(kScenarios / "hardware/dgx-a100-80g-hdr.yaml").value();
  for (const LinkSpec& link : {hardware.nvlink, hardware.nic, hardware.trunk}) {
    EXPECT_NE(link.bandwidth.source, "dgx-a100-80g-hdr.yaml");
    EXPECT_NE(link.efficiency.source, "dgx-a100-80g-hdr.yaml");
  }
  EXPECT_EQ(hardware.nic.bandwidth.value, BytesPerSecond(25e9));
  EXPECT_EQ(hardware.trunk.bandwidth.value, BytesPerSecond(25e9));
  EXPECT_EQ(hardware.links_per_trunk, 2);
}

TEST(ShippedFiles, ScenariosAsTheCommandLineDocumentsThem) {
  const CatalogPaths paths{{kScenarios}};
  const Scenario gpt3 = read_scenario(kScenarios / "gpt3-175b-512xa100.yaml", paths).value();
  EXPECT_EQ(gpt3.name, "gpt3-175b-512xa100");
  EXPECT_EQ(gpt3.num_gpus, 512);
  EXPECT_EQ(gpt3.global_batch, 1536);
  EXPECT_EQ(gpt3.sequence_length, 2048);
  EXPECT_EQ(gpt3.precision, Precision::kBf16);
  EXPECT_EQ(read_scenario(kScenarios / "megatron-1t-512xa100.yaml", paths)->global_batch, 512);
}

TEST(ShippedFiles, ThisMachineAsksForACalibration) {
  const CatalogPaths paths{{kScenarios}};
  const fs::path small = kScenarios / "small-gpt-this-machine.yaml";
  const std::string template_file = (kScenarios / "hardware/this-machine.yaml").string();
  EXPECT_EQ(read_scenario(small, paths).error().message,
            template_file +
                ":9: device.memory: unknown: fill it in, or run \"portolan calibrate --device host --out "
                "FILE\" and pass "
                "--hardware FILE");
  const Result<Scenario> calibrated =
      read_scenario(small, paths, kScenarios / "hardware/dgx-a100-80g-hdr.yaml");
  ASSERT_TRUE(calibrated) << calibrated.error().message;
  EXPECT_EQ(calibrated->model.name, "small-gpt");
  EXPECT_EQ(calibrated->constraints.tensor_parallel, 1);
  EXPECT_EQ(calibrated->constraints.zero_stage, 0);
}

}  // namespace
}  // namespace portolan
