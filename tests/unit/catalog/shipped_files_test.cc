#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "catalog/document/json_parser.h"
#include "catalog/document/load.h"
#include "catalog/hardware_yaml.h"
#include "catalog/model_yaml.h"
#include "catalog/scenario_yaml.h"
#include "catalog/software_yaml.h"
#include "tests/unit/catalog/folder.h"

namespace portolan {
namespace {

namespace fs = std::filesystem;

const fs::path kScenarios = fs::path(PORTOLAN_SOURCE_DIR) / "scenarios";

const CatalogPaths kPaths{{kScenarios}};

/// A file that leaves figures to its user.
bool is_template(const fs::path& file) { return file.stem() == "this-machine"; }

template <typename Read>
int read_folder(const fs::path& folder, Read read) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml" && !is_template(entry.path())) {
      const auto result = read(entry.path());
      EXPECT_TRUE(result) << result.error().message;
      EXPECT_TRUE(!result || result->name == entry.path().stem()) << entry.path();
      ++count;
    }
  }
  return count;
}

TEST(ShippedFiles, AllRead) {
  EXPECT_GE(read_folder(kScenarios / "models", read_model), 17);
  EXPECT_GE(
      read_folder(kScenarios / "hardware", [](const fs::path& file) { return read_hardware(file, kPaths); }),
      18);
  EXPECT_GE(read_folder(kScenarios / "software", read_software), 15);
}

TEST(ShippedFiles, BaselinesAskOneQuestion) {
  const Scenario portolan = read_scenario(kScenarios / "baselines/portolan.yaml", kPaths).value();
  int count = 0;
  for (const auto& entry : fs::directory_iterator(kScenarios / "baselines")) {
    const auto baseline = read_scenario(entry.path(), kPaths);
    ASSERT_TRUE(baseline) << baseline.error().message;
    EXPECT_EQ(baseline->name, entry.path().stem());
    EXPECT_EQ(baseline->model, portolan.model) << baseline->name;
    EXPECT_EQ(baseline->hardware, portolan.hardware) << baseline->name;
    EXPECT_EQ(baseline->global_batch, portolan.global_batch) << baseline->name;
    EXPECT_EQ(baseline->num_gpus, portolan.num_gpus) << baseline->name;
    EXPECT_EQ(baseline->precision, portolan.precision) << baseline->name;
    EXPECT_EQ(baseline->lossy_gradients, baseline->name == "portolan-lossy");
    ++count;
  }
  EXPECT_EQ(count, 18);
}

std::vector<Hardware> shipped_hardware() {
  std::vector<Hardware> all;
  for (const auto& entry : fs::directory_iterator(kScenarios / "hardware")) {
    if (!is_template(entry.path())) {
      all.push_back(read_hardware(entry.path(), kPaths).value());
    }
  }
  return all;
}

TEST(ShippedFiles, EveryHardwareBuildsACluster) {
  for (const Hardware& hardware : shipped_hardware()) {
    const Result<Cluster> cluster = Cluster::build(hardware);
    ASSERT_TRUE(cluster) << hardware.name << ": " << cluster.error().message;
    EXPECT_EQ(cluster->num_devices(), hardware.num_gpus());
    EXPECT_GT(cluster->bisection_bandwidth().value, 0) << hardware.name;
    EXPECT_EQ(cluster->host_route(0).has_value(), hardware.pcie.has_value());
  }
}

template <typename T>
void expect_source(const Hardware& hardware, const Sourced<T>& figure) {
  EXPECT_FALSE(figure.source.empty()) << hardware.name;
  EXPECT_EQ(figure.source.find(hardware.name + ".yaml"), std::string::npos) << hardware.name;
}

void expect_sources(const Hardware& hardware, const LinkSpec& link) {
  expect_source(hardware, link.bandwidth);
  expect_source(hardware, link.latency);
  expect_source(hardware, link.efficiency);
}

// Each feature has a line in the table of features, and each shipped profile one in the table of profiles.
TEST(ShippedFiles, ProfilesAndTheirFeaturesAreDocumented) {
  std::ifstream file(fs::path(PORTOLAN_SOURCE_DIR) / "docs/software-profiles.md");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const std::string features = write_json(to_json(SoftwareProfile{}, Notation::kUnits));
  const DocumentNode listed = parse_json(features, "features", Notation::kUnits).value();
  for (const DocumentEntry& entry : listed.entries) {
    EXPECT_TRUE(entry.key == "name" || text.find("`" + entry.key + "`") != std::string::npos) << entry.key;
  }
  for (const auto& entry : fs::directory_iterator(kScenarios / "software")) {
    EXPECT_NE(text.find("| `" + entry.path().stem().string() + "` |"), std::string::npos) << entry.path();
  }
}

// A feature that is written down says where it is from.
TEST(ShippedFiles, EveryFeatureOfTheSoftwareHasASource) {
  for (const auto& entry : fs::directory_iterator(kScenarios / "software")) {
    const SoftwareProfile software = read_software(entry.path()).value();
    const std::string text = write_json(to_json(software, Notation::kUnits));
    EXPECT_EQ(text.find(entry.path().filename().string()), std::string::npos)
        << entry.path() << " has a figure without a source";
  }
}

// A figure without a source has the file's name as source.
TEST(ShippedFiles, EveryFigureOfTheHardwareHasASource) {
  for (const Hardware& hardware : shipped_hardware()) {
    const DeviceSpec& device = hardware.device;
    expect_source(hardware, device.memory);
    for (const auto& [precision, peak] : device.peak) {
      expect_source(hardware, peak);
    }
    expect_source(hardware, device.memory_bandwidth);
    for (const Sourced<double>& share :
         {device.gemm_efficiency, device.attention_gemm_efficiency, device.memory_efficiency}) {
      expect_source(hardware, share);
    }
    for (const FlashAttention& one : device.flash_attention) {
      expect_source(hardware, one.efficiency);
      expect_source(hardware, one.mask_overhead);
      expect_source(hardware, one.forward_rate);
    }
    if (device.gemm_tiles) {
      expect_source(hardware, device.gemm_tiles->multiprocessors);
      expect_source(hardware, device.gemm_tiles->k_overhead);
      expect_source(hardware, device.gemm_tiles->weight_gradient_rate);
    }
    for (const KernelRate& rate : device.kernel_rates) {
      EXPECT_FALSE(rate.source.empty()) << hardware.name;
    }
    expect_source(hardware, device.kernel_launch);
    expect_source(hardware, device.power_busy);
    expect_source(hardware, device.power_idle);
    expect_sources(hardware, hardware.nvlink);
    if (hardware.pcie) {
      expect_sources(hardware, *hardware.pcie);
    }
    if (hardware.num_nodes > 1) {
      expect_sources(hardware, hardware.nic);
      expect_source(hardware, hardware.inter_node_step);
    }
    if (hardware.spines > 0) {
      expect_sources(hardware, hardware.trunk);
    }
    if (hardware.core_switches > 0) {
      expect_sources(hardware, hardware.core_trunk);
    }
    expect_source(hardware, hardware.intra_node_step);
  }
}

// Where several nodes are joined, the file says whence that is known: of no cluster is it published, and one
// is made up.
TEST(ShippedFiles, EveryNetworkSaysWhereItIsFrom) {
  int num_networks = 0;
  for (const Hardware& hardware : shipped_hardware()) {
    if (hardware.num_nodes == 1) {
      continue;
    }
    ++num_networks;
    const std::string key = hardware.count_sources.contains("nodes_per_pod") ? "nodes_per_pod" : "spines";
    ASSERT_TRUE(hardware.count_sources.contains(key)) << hardware.name;
    const CountSource& network = hardware.count_sources.at(key);
    EXPECT_EQ(network.unvalidated, hardware.name != "a100-oversubscribed-4to1") << hardware.name;
    for (const auto& [count, from] : hardware.count_sources) {
      EXPECT_FALSE(from.source.empty()) << hardware.name << " " << count;
      EXPECT_EQ(from.source.find(hardware.name + ".yaml"), std::string::npos)
          << hardware.name << " " << count;
    }
  }
  EXPECT_EQ(num_networks, 18);
}

/// A file of devices/ as that of a node with nothing else.
DeviceSpec shipped_device(const std::string& name) {
  return read_hardware_text(
             "name: n\nnum_nodes: 1\ngpus_per_node: 1\nnvlink: {bandwidth: 1 GB/s, efficiency: 1}\n"
             "device: " +
                 name + "\n",
             "node.yaml", kPaths)
      .value()
      .device;
}

// A device's constants stand once: hardware names its device, but for the template that is measured. Each
// device is that of some hardware.
TEST(ShippedFiles, HardwareNamesItsDevice) {
  std::set<std::string> named;
  for (const auto& entry : fs::directory_iterator(kScenarios / "hardware")) {
    const DocumentNode root = load_yaml(entry.path()).value();
    const DocumentNode& device = find_entry(root, "device")->value;
    EXPECT_EQ(device.kind == DocumentNode::Kind::kMapping, entry.path().stem() == "this-machine")
        << entry.path();
    named.insert(device.scalar);
  }
  named.erase("");
  std::set<std::string> shipped;
  for (const auto& entry : fs::directory_iterator(kScenarios / "devices")) {
    shipped.insert(entry.path().stem().string());
  }
  EXPECT_EQ(named, shipped);
}

// Kernels were measured on one A100 and fitted once.
TEST(ShippedFiles, BothA100HaveTheSameKernels) {
  const DeviceSpec large = shipped_device("a100-sxm-80g");
  const DeviceSpec small = shipped_device("a100-sxm-40g");
  EXPECT_TRUE(large.gemm_tiles);
  EXPECT_EQ(large.flash_attention.size(), 2U);
  EXPECT_EQ(small.gemm_tiles, large.gemm_tiles);
  EXPECT_EQ(small.flash_attention, large.flash_attention);
  EXPECT_EQ(small.kernel_rates, large.kernel_rates);
  EXPECT_EQ(small.gemm_efficiency, large.gemm_efficiency);
  EXPECT_EQ(small.attention_gemm_efficiency, large.attention_gemm_efficiency);
}

// No kernel or collective was measured on an H100.
TEST(ShippedFiles, EfficienciesOfH100AreUnvalidated) {
  for (const Hardware& hardware : shipped_hardware()) {
    const DeviceSpec& device = hardware.device;
    const bool is_h100 = hardware.name.find("h100") != std::string::npos;
    for (const Sourced<double>& share :
         {device.gemm_efficiency, device.attention_gemm_efficiency, hardware.nvlink.efficiency}) {
      EXPECT_EQ(share.unvalidated, is_h100) << hardware.name;
    }
  }
}

/// Bandwidth of the cards of half the nodes over the bisection.
double oversubscription(const std::string& name, std::int64_t num_nodes) {
  Hardware hardware = read_hardware(kScenarios / "hardware" / (name + ".yaml"), kPaths).value();
  hardware.num_nodes = num_nodes;
  const double cards = static_cast<double>(num_nodes / 2 * hardware.nics_per_node) *
                       hardware.nic.bandwidth.value.value * hardware.nic.efficiency.value;
  return cards / Cluster::build(hardware).value().bisection_bandwidth().value;
}

TEST(ShippedFiles, FabricsCarryWhatTheirCommentsSay) {
  EXPECT_NEAR(oversubscription("dgx-a100-80g-hdr", 560), 1, 1e-9);
  EXPECT_NEAR(oversubscription("dgx-h100", 768), 1, 1e-9);
  EXPECT_NEAR(oversubscription("a100-oversubscribed-4to1", 128), 4, 1e-9);
  // Whole groups: all 2048 nodes halve into no whole groups of 384, where the cut through one is wider.
  EXPECT_NEAR(oversubscription("dgx-h100-400g-16k", 4 * 384), 96.0 / 14, 1e-9);
  EXPECT_LT(oversubscription("dgx-h100-400g-16k", 2048), 96.0 / 14);
}

/// The blocks of YAML in a page of docs/.
std::vector<std::string> examples(const std::string& page) {
  std::ifstream file(fs::path(PORTOLAN_SOURCE_DIR) / "docs" / page);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const std::string begin = "```yaml\n";
  std::vector<std::string> blocks;
  for (std::size_t at = text.find(begin); at != std::string::npos; at = text.find(begin, at)) {
    at += begin.size();
    blocks.push_back(text.substr(at, text.find("```", at) - at));
  }
  return blocks;
}

// What the page on new clusters shows is a cluster, a device that it may name, and a question about it.
TEST(ShippedFiles, TheExampleOfANewClusterIsRead) {
  const Folder folder;
  const std::vector<std::string> blocks = examples("new-cluster.md");
  ASSERT_EQ(blocks.size(), 3U);
  folder.write("hardware/my-cluster.yaml", blocks[0]);
  folder.write("devices/my-gpu.yaml", blocks[1]);
  const CatalogPaths mine{{folder.path(), kScenarios}};
  const Result<Scenario> asked = read_scenario_text(blocks[2], "my-run.yaml", mine);
  ASSERT_TRUE(asked) << asked.error().message;
  EXPECT_TRUE(asked->hardware.device.gemm_tiles);
  EXPECT_TRUE(asked->hardware.count_sources.at("spines").unvalidated);
  const Result<Scenario> other =
      read_scenario_text(blocks[2] + "hardware_overrides: {device: my-gpu}\n", "my-run.yaml", mine);
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ(other->hardware.device.memory.value, Bytes(64 * kGibi));
}

TEST(ShippedFiles, FiguresOfDgxA100) {
  const Hardware hardware = read_hardware(kScenarios / "hardware/dgx-a100-80g-hdr.yaml", kPaths).value();
  EXPECT_EQ(hardware.nic.bandwidth.value, BytesPerSecond(25e9));
  EXPECT_EQ(hardware.trunk.bandwidth.value, BytesPerSecond(25e9));
  EXPECT_EQ(hardware.links_per_trunk, 2);
  EXPECT_TRUE(hardware.device.kernel_launch.unvalidated);
}

TEST(ShippedFiles, ScenariosAsTheCommandLineDocumentsThem) {
  const Scenario gpt3 = read_scenario(kScenarios / "gpt3-175b-512xa100.yaml", kPaths).value();
  EXPECT_EQ(gpt3.name, "gpt3-175b-512xa100");
  EXPECT_EQ(gpt3.num_gpus, 512);
  EXPECT_EQ(gpt3.global_batch, 1536);
  EXPECT_EQ(gpt3.sequence_length, 2048);
  EXPECT_EQ(gpt3.precision, Precision::kBf16);
  EXPECT_EQ(read_scenario(kScenarios / "megatron-1t-512xa100.yaml", kPaths)->global_batch, 512);
}

TEST(ShippedFiles, ThisMachineAsksForACalibration) {
  const fs::path small = kScenarios / "small-gpt-this-machine.yaml";
  const std::string template_file = (kScenarios / "hardware/this-machine.yaml").string();
  EXPECT_EQ(read_scenario(small, kPaths).error().message,
            template_file +
                ":9: device.memory: unknown: fill it in, there or with hardware_overrides (of the host "
                "device: run \"portolan "
                "calibrate --device host --out "
                "FILE\" and pass "
                "--hardware FILE)");
  const Result<Scenario> calibrated =
      read_scenario(small, kPaths, kScenarios / "hardware/dgx-a100-80g-hdr.yaml");
  ASSERT_TRUE(calibrated) << calibrated.error().message;
  EXPECT_EQ(calibrated->model.name, "small-gpt");
  EXPECT_EQ(calibrated->constraints.tensor_parallel, 1);
  EXPECT_EQ(calibrated->constraints.zero_stage, 0);
}

}  // namespace
}  // namespace portolan
