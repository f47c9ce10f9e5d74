#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "catalog/document/json_parser.h"
#include "catalog/hardware_yaml.h"
#include "catalog/scenario_yaml.h"
#include "tests/unit/catalog/folder.h"
#include "tests/unit/catalog/replaced.h"

namespace portolan {
namespace {

const std::string kDeviceKeys =
    "# A GPU that nobody makes.\n"
    "memory: {value: 32 GiB, source: \"datasheet\"}\n"
    "peak:\n"
    "  fp32: 20 TFLOP/s\n"
    "  bf16: 100 TFLOP/s\n"
    "memory_bandwidth: 1000 GB/s\n"
    "gemm_efficiency: 0.7\n"
    "attention_gemm_efficiency: 0.5\n"
    "memory_efficiency: 0.8\n"
    "kernel_launch: {value: 2 us, source: \"estimate\", unvalidated: true}\n"
    "gemm_points: [{layout: forward, m: 256, n: 256, k: 256, rate: 65 TFLOP/s}]\n";

const std::string kNode =
    "name: node\n"
    "num_nodes: 1\n"
    "gpus_per_node: 4\n"
    "nvlink: {bandwidth: 300 GB/s, efficiency: 0.8}\n"
    "device: gpu\n";

const std::string kQuestion =
    "model: gpt2-124m\nsoftware: generic\nsequence_length: 1024\nglobal_batch: 8\nhardware: node\n";

/// The same node with its device written out.
std::string written_out(const std::string& keys) {
  std::string text = replaced(kNode, "device: gpu\n", "device:\n");
  std::size_t begin = keys.find('\n') + 1;
  for (std::size_t end = keys.find('\n', begin); end != std::string::npos; end = keys.find('\n', begin)) {
    text += "  " + keys.substr(begin, end + 1 - begin);
    begin = end + 1;
  }
  return text;
}

/// Folders with a device and a node of it, before the shipped ones.
class DeviceFile : public testing::Test {
 protected:
  DeviceFile() {
    folder_.write("devices/gpu.yaml", kDeviceKeys);
    folder_.write("hardware/node.yaml", kNode);
  }
  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }
  Result<Hardware> read(const std::string& text) const {
    return read_hardware_text(text, at("hardware/node.yaml"), paths_);
  }
  Result<Scenario> read_question(const std::string& added) const {
    return read_scenario_text(kQuestion + added, at("s.yaml"), paths_);
  }

  Folder folder_;
  CatalogPaths paths_{{folder_.path(), std::filesystem::path(PORTOLAN_SOURCE_DIR) / "scenarios"}};
};

TEST_F(DeviceFile, IsTheSameByNameByPathAndWrittenOut) {
  const Result<Hardware> by_name = read_hardware(at("hardware/node.yaml"), paths_);
  ASSERT_TRUE(by_name) << by_name.error().message;
  EXPECT_EQ(by_name->device.memory, (Sourced<Bytes>{Bytes(32 * kGibi), "datasheet"}));
  EXPECT_EQ(by_name->device.gemm_points.size(), 1U);
  EXPECT_EQ(by_name->device.gemm_efficiency.source, "gpu.yaml");
  EXPECT_EQ(read(replaced(kNode, "device: gpu", "device: ../devices/gpu.yaml")).value(), *by_name);
  folder_.write("hardware/beside.yaml", kDeviceKeys);
  Hardware beside = read(replaced(kNode, "device: gpu", "device: beside.yaml")).value();
  EXPECT_EQ(beside.device.gemm_efficiency.source, "beside.yaml");
  Hardware inside = read(written_out(kDeviceKeys)).value();
  EXPECT_EQ(inside.device.gemm_efficiency.source, "node.yaml");
  for (Hardware* other : {&beside, &inside}) {
    EXPECT_EQ(other->device.gemm_efficiency.value, by_name->device.gemm_efficiency.value);
    EXPECT_EQ(other->device.kernel_launch, by_name->device.kernel_launch);
    EXPECT_EQ(other->device.gemm_points, by_name->device.gemm_points);
  }
}

// What is written stands alone, whatever was named.
TEST_F(DeviceFile, IsWrittenOutWhereHardwareIsWritten) {
  const Hardware hardware = read(kNode).value();
  EXPECT_EQ(read_hardware_text(write_hardware(hardware), "alone.yaml").value(), hardware);
}

TEST_F(DeviceFile, FirstFolderGoesFirst) {
  EXPECT_EQ(read(replaced(kNode, "device: gpu", "device: a100-sxm-40g"))->device.memory.value,
            Bytes(40 * kGibi));
  folder_.write("devices/a100-sxm-40g.yaml", kDeviceKeys);
  EXPECT_EQ(read(replaced(kNode, "device: gpu", "device: a100-sxm-40g"))->device.memory.value,
            Bytes(32 * kGibi));
}

TEST_F(DeviceFile, SingleKeysAreLaidOverIt) {
  const Result<Hardware> hardware =
      read(kNode +
           "device_overrides:\n  memory: 48 GiB\n  peak: {bf16: 90 TFLOP/s}\n  kernel_launch: {value: 3 us}\n"
           "  gemm_points: []\n");
  ASSERT_TRUE(hardware) << hardware.error().message;
  const DeviceSpec& device = hardware->device;
  EXPECT_EQ(device.memory, (Sourced<Bytes>{Bytes(48 * kGibi), "node.yaml"}));
  EXPECT_EQ(device.peak.at(Precision::kBf16).value, FlopsPerSecond(90e12));
  EXPECT_EQ(device.peak.at(Precision::kFp32).value, FlopsPerSecond(20e12));
  EXPECT_EQ(device.kernel_launch, (Sourced<Seconds>{Seconds(3e-6), "estimate", true}));
  EXPECT_TRUE(device.gemm_points.empty());
  EXPECT_EQ(read(written_out(kDeviceKeys) + "device_overrides: {memory: 48 GiB}\n")->device.memory.value,
            Bytes(48 * kGibi));
}

// A scenario changes keys of a device that its hardware only names, and names another from where it is
// itself.
TEST_F(DeviceFile, ScenariosOverrideItAsIfItWereWrittenOut) {
  const Result<Scenario> scenario = read_question("hardware_overrides: {device: {memory: 16 GiB}}\n");
  ASSERT_TRUE(scenario) << scenario.error().message;
  EXPECT_EQ(scenario->hardware.device.memory, (Sourced<Bytes>{Bytes(16 * kGibi), "s.yaml"}));
  EXPECT_EQ(scenario->hardware.device.gemm_efficiency.source, "gpu.yaml");
  EXPECT_EQ(read_question("hardware_overrides: {device: a100-sxm-80g}\n")->hardware.device.memory.value,
            Bytes(80 * kGibi));
  folder_.write("other.yaml", replaced(kDeviceKeys, "32 GiB", "33 GiB"));
  EXPECT_EQ(read_question("hardware_overrides: {device: ./other.yaml}\n")->hardware.device.memory.value,
            Bytes(33 * kGibi));
  const Result<Scenario> inside = read_scenario_text(
      replaced(kQuestion, "hardware: node\n", "") +
          "hardware: {name: n, num_nodes: 1, gpus_per_node: 1, nvlink: "
          "{bandwidth: 1 GB/s, efficiency: 1}, device: other.yaml, device_overrides: {memory: 34 GiB}}\n",
      at("s.yaml"), paths_);
  ASSERT_TRUE(inside) << inside.error().message;
  EXPECT_EQ(inside->hardware.device.memory.value, Bytes(34 * kGibi));
  // What a scenario lays over goes before what the hardware's file does.
  folder_.write("hardware/node.yaml", kNode + "device_overrides: {memory: 48 GiB}\n");
  EXPECT_EQ(read_question("")->hardware.device.memory.value, Bytes(48 * kGibi));
  EXPECT_EQ(read_question("hardware_overrides: {device: {memory: 16 GiB}}\n")->hardware.device.memory.value,
            Bytes(16 * kGibi));
}

TEST_F(DeviceFile, MistakesAreReportedWhereTheyAre) {
  struct Mistake {
    std::string file;  ///< the device's
    std::string hardware;
    std::string message;  ///< behind the folder
  };
  const std::string no_mapping = "is not a mapping (allowed: lines of \"key: value\")";
  const std::string overrides = kNode + "device_overrides:\n";
  const std::vector<Mistake> table = {
      {replaced(kDeviceKeys, "1000 GB/s", "1000"), kNode,
       "devices/gpu.yaml:6: memory_bandwidth: \"1000\" has no unit (try \"1000 GB/s\")"},
      {replaced(kDeviceKeys, "value: 32 GiB", "value: unknown"), kNode,
       "devices/gpu.yaml:2: memory.value: unknown: fill it in"},
      {kDeviceKeys + "name: gpu\n", kNode, "devices/gpu.yaml:12: name: unknown key (allowed: memory, peak, "},
      {replaced(kDeviceKeys, "memory: {value: 32 GiB, source: \"datasheet\"}\n", ""), kNode,
       "devices/gpu.yaml:2: key \"memory\" is missing (allowed: a size such as 80 GiB)"},
      {replaced(kDeviceKeys, "gemm_efficiency: 0.7", "gemm_efficiency: 1.7"), kNode,
       "devices/gpu.yaml:7: gemm_efficiency: 1.7 is not allowed (must be above 0, at most 1)"},
      {replaced(kDeviceKeys, "m: 256", "m: -1"), kNode,
       "devices/gpu.yaml:11: gemm_points[0].m: \"-1\" is out of range"},
      {"memory: [\n", kNode, "devices/gpu.yaml:"},
      {"just text\n", kNode, "devices/gpu.yaml:1: " + no_mapping},
      {kDeviceKeys, overrides + "  memory: 48\n",
       "hardware/node.yaml:7: device_overrides.memory: \"48\" has no unit (try \"48 GiB\")"},
      {kDeviceKeys, overrides + "  memory_efficiency: 1.5\n",
       "hardware/node.yaml:7: device_overrides.memory_efficiency: 1.5 is not allowed (must be above 0, at "
       "most "
       "1)"},
      {kDeviceKeys, overrides + "  memory_speed: 1 GB/s\n",
       "hardware/node.yaml:7: device_overrides.memory_speed: unknown key (allowed: memory, peak, "},
      {kDeviceKeys, kNode + "device_overrides: none\n",
       "hardware/node.yaml:6: device_overrides: " + no_mapping},
      {kDeviceKeys, replaced(kNode, "device: gpu", "device_overrides: {memory: 1 GiB}"),
       "hardware/node.yaml:5: device_overrides: is not allowed here (allowed: beside device, in YAML)"},
      {kDeviceKeys, kNode + "device_override: {}\n",
       "hardware/node.yaml:6: device_override: unknown key (did you mean \"device_overrides\"?)"},
      {kDeviceKeys, replaced(kNode, "device: gpu", "device: gpux"),
       "hardware/node.yaml:5: device: \"gpux\" is not in any devices/ folder (there are: a100-sxm-40g, "
       "a100-sxm-80g, gpu, h100-sxm-80g; or name a file)"},
      {kDeviceKeys, replaced(kNode, "device: gpu", "device: gpu.yaml"),
       "hardware/node.yaml:5: device: " + at("hardware/gpu.yaml") + ": no such file"},
      {kDeviceKeys, replaced(kNode, "device: gpu", "device:"),
       "hardware/node.yaml:5: device: is neither a name, nor a file, nor a mapping"},
      {kDeviceKeys, replaced(kNode, "device: gpu", "device: [gpu]"),
       "hardware/node.yaml:5: device: is neither a name, nor a file, nor a mapping"},
      {kDeviceKeys, replaced(kNode, "device: gpu\n", ""),
       "hardware/node.yaml:1: key \"device\" is missing (allowed: a mapping)"},
  };
  for (const Mistake& mistake : table) {
    folder_.write("devices/gpu.yaml", mistake.file);
    const Result<Hardware> hardware = read(mistake.hardware);
    ASSERT_FALSE(hardware) << mistake.message;
    EXPECT_EQ(hardware.error().kind, ErrorKind::kBadInput);
    EXPECT_TRUE(hardware.error().message.starts_with(at(mistake.message))) << hardware.error().message;
    EXPECT_EQ(hardware.error().message.find('\n'), std::string::npos);
  }
}

// What machines write stands alone.
TEST_F(DeviceFile, APlanNamesNone) {
  const std::string json = write_json(to_json(read(kNode).value()));
  const auto read_json = [](const std::string& text) {
    return hardware_from(parse_json(text, "plan.json", Notation::kNumbers).value());
  };
  ASSERT_TRUE(read_json(json));
  EXPECT_EQ(read_json("{\"device_overrides\": {}," + json.substr(json.find('{') + 1)).error().message,
            "plan.json:1: device_overrides: is not allowed here (allowed: beside device, in YAML)");
  EXPECT_EQ(read_json("{\"device\": \"gpu\"}").error().message,
            "plan.json:1: device: \"gpu\" is not a mapping (allowed: lines of \"key: value\")");
}

}  // namespace
}  // namespace portolan
