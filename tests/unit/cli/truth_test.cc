#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "catalog/hardware_yaml.h"
#include "catalog/prediction_errors_yaml.h"
#include "catalog/software_yaml.h"
#include "tests/unit/cli/command.h"
#include "tests/unit/cli/published_rows.h"

namespace portolan {
namespace {

TEST_F(PublishedMeasurements, OneTrillionParametersWithinAQuarter) {
  for (const Row& row : rows_of("training.csv")) {
    if (row.at("id") == "K22-T5-1T-full") {
      const CommandResult result = portolan_command(
          "simulate scenarios/megatron-1t-512xa100.yaml --json --strategy tp=" + row.at("tp") +
          ",pp=" + row.at("pp") + ",dp=" + row.at("dp") + ",microbatch=" + row.at("microbatch") +
          ",schedule=1f1b,recompute=full,zero=0");
      ASSERT_EQ(result.exit_code, 0) << result.err;
      const double predicted_s = result.json()["estimate"]["step_time_s"];
      EXPECT_NEAR(predicted_s / std::stod(row.at("sec_per_iter")), 1, 0.25);
      return;
    }
  }
  FAIL() << "no row K22-T5-1T-full";
}

// Every framework and every machine that a row names has a description: a GPT-2 on one of its GPUs is
// predicted.
TEST_F(PublishedMeasurements, SoftwareAndClustersOfAllRowsAreDescribed) {
  const ScratchFolder scratch;
  std::set<std::string> software{"generic"};
  std::set<std::string> clusters;
  for (const Row& row : rows_of("training.csv")) {
    software.insert(row.at("software"));
    clusters.insert(row.at("cluster"));
  }
  software.erase("");
  clusters.erase("");
  EXPECT_GE(software.size(), 11U);
  EXPECT_GE(clusters.size(), 14U);
  const auto expect_predicted = [&](const std::string& hardware, const std::string& profile) {
    const CommandResult result = portolan_command(
        "simulate --json --fidelity closed-form --strategy "
        "tp=1,pp=1,dp=1,microbatch=1,zero=0,recompute=none " +
        scratch.write("what-if.yaml",
                      "model: gpt2-124m\nhardware: " + hardware + "\nsoftware: " + profile +
                          "\nsequence_length: 1024\nglobal_batch: 1\nnum_gpus: 1\n"
                          "hardware_overrides: {nic: {bandwidth: 25 GB/s, efficiency: 0.9}}\n"));
    EXPECT_EQ(result.exit_code, 0) << hardware << ", " << profile << ": " << result.err;
  };
  for (const std::string& name : software) {
    expect_predicted("a100-node", name);
  }
  for (const std::string& name : clusters) {
    expect_predicted(name, "generic");
  }
}

// The efficiencies in the device file are medians of published rows, as its sources say, and nothing else.
TEST_F(PublishedMeasurements, EfficienciesAreTheMediansThatTheirSourcesName) {
  std::vector<double> gemm;
  std::vector<double> additions;
  for (const Row& row : rows_of("kernels.csv")) {
    const bool sxm = row.at("gpu") == "A100-SXM 80GB";
    if (row.at("op") == "gemm" && row.at("direction") == "fwd" && sxm && !row.at("M").empty()) {
      const double flops = 2 * std::stod(row.at("M")) * std::stod(row.at("N")) * std::stod(row.at("K"));
      if (flops >= 100e9) {
        gemm.push_back(std::stod(row.at("efficiency_vs_312")));
      }
    }
    if (row.at("op") == "memory-bound add" && sxm) {
      additions.push_back(std::stod(row.at("GBps")) / 2039);
    }
  }
  const auto median = [](std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  };
  EXPECT_EQ(gemm.size(), 412U);
  EXPECT_NEAR(median(gemm), 0.734, 5e-4);
  EXPECT_EQ(additions.size(), 144U);
  EXPECT_NEAR(median(additions), 0.882, 5e-4);
  const std::string device = content_of(PORTOLAN_SOURCE_DIR "/scenarios/devices/a100-sxm-80g.yaml");
  EXPECT_NE(device.find("value: 0.734"), std::string::npos);
  EXPECT_NE(device.find("value: 0.882"), std::string::npos);
}

// What is fitted in the device file is what the command that its sources name fits.
TEST_F(PublishedMeasurements, FittedConstantsAreWhatCalibrateFinds) {
  const ScratchFolder scratch;
  const std::string scenarios = PORTOLAN_SOURCE_DIR "/scenarios";
  const std::string kernels = std::string(std::getenv("PORTOLAN_TRUTH")) + "/kernels.csv";
  const auto fit = [&](const std::string& kind) {
    return portolan_command("calibrate --json --from " + kind + " " + kernels +
                            " --gpu A100-SXM --hardware dgx-a100-80g-hdr --out " + scratch.file("out.yaml"))
        .json();
  };
  const Hardware hardware =
      read_hardware(scenarios + "/hardware/dgx-a100-80g-hdr.yaml", {{scenarios}}).value();
  const auto gemms = fit("gemm-csv");
  const GemmTiles& tiles = hardware.device.gemm_tiles.value();
  EXPECT_EQ(gemms["gemm_points"], 946);
  EXPECT_NEAR(gemms["error_pct"]["held_back"]["mean"].get<double>(), 9.4, 0.05);
  EXPECT_NEAR(gemms["k_overhead"].get<double>(), tiles.k_overhead.value, 0.05);
  ASSERT_EQ(gemms["gemm_tiles"].size(), tiles.sizes.size());
  for (std::size_t i = 0; i < tiles.sizes.size(); ++i) {
    EXPECT_EQ(gemms["gemm_tiles"][i]["m"], tiles.sizes[i].m);
    EXPECT_EQ(gemms["gemm_tiles"][i]["n"], tiles.sizes[i].n);
    EXPECT_NEAR(gemms["gemm_tiles"][i]["efficiency"].get<double>(), tiles.sizes[i].efficiency, 5e-4);
  }
  const auto attention = fit("attention-csv")["flash_attention"];
  ASSERT_EQ(attention.size(), hardware.device.flash_attention.size());
  for (std::size_t i = 0; i < attention.size(); ++i) {
    const FlashAttention& one = hardware.device.flash_attention[i];
    EXPECT_EQ(attention[i]["version"], one.version);
    EXPECT_NEAR(attention[i]["efficiency"].get<double>(), one.efficiency.value, 5e-4);
    EXPECT_NEAR(attention[i]["mask_overhead"].get<double>(), one.mask_overhead.value, 0.5);
  }
}

/// What `calibrate --from step-csv` says of the published steps of these.
nlohmann::json step_fit(const std::string& of) {
  const ScratchFolder scratch;
  return portolan_command("calibrate --json --from step-csv " + std::string(std::getenv("PORTOLAN_TRUTH")) +
                          "/training.csv " + of + " --out " + scratch.file("out.yaml"))
      .json();
}

// Likewise of a framework: to half a millisecond, as it follows the price of all else.
TEST_F(PublishedMeasurements, PauseAtCheckpointsIsWhatThreeSourcesAskFor) {
  const auto fit = step_fit("--software megatron-deepspeed-2022,megatron-deepspeed-2021");
  ASSERT_EQ(fit["sources"].size(), 3U);
  for (const auto& source : fit["sources"]) {
    EXPECT_LT(source["error_pct"]["crossed"], source["error_pct"]["without"].get<double>() / 2) << source;
    EXPECT_LE(source["error_pct"]["fitted"], source["error_pct"]["crossed"]) << source;
  }
  for (const std::string year : {"2021", "2022"}) {
    const auto profile =
        read_software(PORTOLAN_SOURCE_DIR "/scenarios/software/megatron-deepspeed-" + year + ".yaml");
    EXPECT_NEAR(fit["value"].get<double>(), profile->checkpoint_pause.value.value, 5e-4);
  }
}

// And of a device: its file has the rate of products that two sources ask for, each served by the other's.
TEST_F(PublishedMeasurements, RateOfProductsOnH100IsWhatTwoSourcesAskFor) {
  const auto fit = step_fit("--clusters h100-80g-800g,h100-80g-400g");
  ASSERT_EQ(fit["sources"].size(), 2U);
  EXPECT_NEAR(fit["value"].get<double>(), 1, 0.01);
  for (const auto& source : fit["sources"]) {
    EXPECT_LT(source["error_pct"]["crossed"], 10) << source;
  }
}

TEST_F(PublishedMeasurements, CollectivesWithinNodesOfA100AreWhatFourSourcesMeasured) {
  const ScratchFolder scratch;
  const CommandResult result = portolan_command(
      "calibrate --json --from collectives-csv " + std::string(std::getenv("PORTOLAN_TRUTH")) +
      "/collectives.csv" + " --gpu A100 --hardware a100-node --out " + scratch.file("o.yaml"));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto fit = result.json();
  ASSERT_EQ(fit["constants"].size(), 3U);
  for (const auto& constant : fit["constants"]) {
    EXPECT_TRUE(constant["is_set"]) << constant;
    EXPECT_NEAR(constant["value"].get<double>() / constant["before"].get<double>(), 1, 0.01) << constant;
  }
  EXPECT_LT(fit["error_pct"]["held_back"]["mean"], 15);
}

// The errors that intervals are made from are those of the predictions of now; they cover what they should,
// of sources that they do not know too, and no constant had to see Korthikanti's Table 5 for it.
void expect_near(const std::vector<SourceErrors>& now, const std::vector<SourceErrors>& shipped) {
  ASSERT_EQ(now.size(), shipped.size());
  for (std::size_t i = 0; i < now.size(); ++i) {
    EXPECT_EQ(now[i].of, shipped[i].of);
    ASSERT_EQ(now[i].errors.size(), shipped[i].errors.size()) << shipped[i].source_family;
    for (std::size_t q = 0; q < shipped[i].errors.size(); ++q) {
      EXPECT_NEAR(now[i].errors[q], shipped[i].errors[q], 0.003) << shipped[i].source_family;
    }
  }
}

TEST_F(PublishedMeasurements, ShippedErrorsAreThoseThatValidateFinds) {
  const ScratchFolder scratch;
  const auto found =
      portolan_command("validate --json --truth " + std::string(std::getenv("PORTOLAN_TRUTH")) +
                       "/training.csv --memory " + std::string(std::getenv("PORTOLAN_TRUTH")) +
                       "/memory.csv --errors-out " + scratch.file("errors.yaml"))
          .json();
  const PredictionErrors now = read_prediction_errors(scratch.file("errors.yaml")).value();
  const PredictionErrors shipped = find_prediction_errors({{PORTOLAN_SOURCE_DIR "/scenarios"}}).value();
  expect_near(now.step_time, shipped.step_time);
  expect_near(now.memory, shipped.memory);
  double rows = 0, covered = 0, covered_as_new = 0;
  for (const auto& group : found["groups"]) {
    if (!group["coverage90_pct"].is_null()) {
      const double counted =
          group["rows"].get<double>() - group["ranges"].get<double>() - group["apart"].get<double>();
      rows += counted;
      covered += counted * group["coverage90_pct"].get<double>();
      covered_as_new += counted * group["new_source"]["coverage90_pct"].get<double>();
    }
  }
  EXPECT_GE(covered / rows, 85);
  EXPECT_LE(covered / rows, 97);
  EXPECT_GE(covered_as_new / rows, 80);
  double sum = 0, most = 0, steps = 0;
  for (const auto& row : found["rows"]) {
    if (row["id"].get<std::string>().starts_with("K22-T5")) {
      const double error = std::abs(row["error_pct"].get<double>());
      sum += error;
      most = std::max(most, error);
      ++steps;
    }
  }
  EXPECT_EQ(steps, 5);
  EXPECT_LE(sum / steps, 2.5);
  EXPECT_LE(most, 5);
}

}  // namespace
}  // namespace portolan
