#include "catalog/hardware_yaml.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sample_scenario.h"
#include "tests/unit/catalog/replaced.h"

namespace portolan {
namespace {

/// A good file, one line a figure, so that a test can spoil one of them.
const std::string kGood =
    "name: two-nodes\n"
    "num_nodes: 2\n"
    "gpus_per_node: 4\n"
    "nics_per_node: 2\n"
    "device:\n"
    "  memory: {value: 80 GiB, source: \"datasheet\"}\n"
    "  peak: {bf16: 312 TFLOP/s}\n"
    "  memory_bandwidth: 2039 GB/s\n"
    "  gemm_efficiency: 0.7\n"
    "  attention_gemm_efficiency: 0.5\n"
    "  memory_efficiency: 0.8\n"
    "  gemm_points:\n"
    "    - {layout: forward, m: 256, n: 256, k: 256, rate: 65.1 GFLOP/s}\n"
    "nvlink: {bandwidth: 300 GB/s, efficiency: 0.8}\n"
    "nic: {bandwidth: 25 GB/s, efficiency: 0.9}\n";

TEST(HardwareYaml, ReadsFiguresSourcesAndDefaults) {
  const Result<Hardware> hardware = read_hardware_text(kGood, "folder/cluster.yaml");
  ASSERT_TRUE(hardware) << hardware.error().message;
  EXPECT_EQ(hardware->num_gpus(), 8);
  EXPECT_EQ(hardware->nodes_per_pod, 2);
  EXPECT_EQ(hardware->device.memory, (Sourced<Bytes>{Bytes(80 * kGibi), "datasheet"}));
  EXPECT_EQ(hardware->device.memory_bandwidth.source, "cluster.yaml");
  EXPECT_EQ(hardware->device.peak.at(Precision::kBf16).value, FlopsPerSecond(312e12));
  EXPECT_EQ(hardware->device.gemm_points.at(0).batch, 1);
  EXPECT_EQ(hardware->nvlink.latency.value, Seconds(0));
}

TEST(HardwareYaml, ReadsItsCondition) {
  const Result<Hardware> hardware = read_hardware_text(
      kGood + "condition:\n  - slow-gpu node1.gpu3 70%\n  - dead-link node0.nic1<->pod0.leaf1\n", "c.yaml");
  ASSERT_TRUE(hardware) << hardware.error().message;
  EXPECT_EQ(hardware->condition, (Condition{{ImpairmentKind::kSlowGpu, "node1.gpu3", 0.7},
                                            {ImpairmentKind::kDeadLink, "node0.nic1<->pod0.leaf1"}}));
}

TEST(HardwareYaml, RefusesAConditionInItsLine) {
  const auto error_of = [](const std::string& item) {
    return read_hardware_text(kGood + "condition:\n  - slow-gpu node0.gpu0 0.5\n  - " + item + "\n", "c.yaml")
        .error()
        .message;
  };
  EXPECT_EQ(error_of("slow-gpu node1.gpu3"),
            "c.yaml:18: condition[1]: \"slow-gpu node1.gpu3\" is not \"slow-gpu PLACE SHARE\" (such as "
            "\"slow-gpu node3.gpu5 0.7\" or \"failed-nic node3.nic2\")");
  EXPECT_EQ(
      error_of("slow-gpu node1.gpu4 0.5"),
      "c.yaml:18: condition[1]: slow-gpu node1.gpu4 0.5: the cluster has no such GPU (2 nodes of 4 GPUs "
      "and 2 network cards, 1 pods, 0 spines; such as node0.gpu0)");
  EXPECT_EQ(error_of("slow-gpu node0.gpu0 0.7"),
            "c.yaml:18: condition[1]: slow-gpu node0.gpu0 0.7: is there twice (must be there once)");
  EXPECT_EQ(
      read_hardware_text(kGood + "condition: [failed-nic node0.nic0, failed-nic node1.nic1]\n", "c.yaml")
          .error()
          .message,
      "c.yaml:16: condition: no way from node0 to node1 is left");
}

TEST(HardwareYaml, ReadsThreeTiersAndPcie) {
  const Result<Hardware> plain = read_hardware_text(kGood, "cluster.yaml");
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_TRUE(plain->rails);
  EXPECT_EQ(plain->links_per_trunk, 1);
  EXPECT_EQ(plain->pods_per_group, 0);
  EXPECT_FALSE(plain->pcie);
  const std::string text = replaced(kGood, "nics_per_node: 2\n",
                                    "nics_per_node: 2\nrails: false\nnodes_per_pod: 1\nspines: 3\n"
                                    "links_per_trunk: 4\npods_per_group: 1\ncore_switches: 5\n"
                                    "links_per_core_trunk: 6\n") +
                           "trunk: {bandwidth: 50 GB/s, efficiency: 0.9}\n"
                           "core_trunk: {bandwidth: 100 GB/s, efficiency: 0.8}\n"
                           "pcie: {bandwidth: 32 GB/s, latency: 1 us, efficiency: 0.7}\n";
  const Result<Hardware> hardware = read_hardware_text(text, "cluster.yaml");
  ASSERT_TRUE(hardware) << hardware.error().message;
  EXPECT_FALSE(hardware->rails);
  EXPECT_EQ(hardware->links_per_trunk, 4);
  EXPECT_EQ(hardware->pods_per_group, 1);
  EXPECT_EQ(hardware->core_switches, 5);
  EXPECT_EQ(hardware->links_per_core_trunk, 6);
  EXPECT_EQ(hardware->core_trunk.bandwidth.value, BytesPerSecond(100e9));
  ASSERT_TRUE(hardware->pcie);
  EXPECT_EQ(hardware->pcie->latency.value, Seconds(1e-6));
}

TEST(HardwareYaml, MarksFiguresThatNoMeasurementSupports) {
  const Result<Hardware> hardware = read_hardware_text(
      replaced(kGood, "source: \"datasheet\"}", "source: \"derived\", unvalidated: true}"), "cluster.yaml");
  ASSERT_TRUE(hardware) << hardware.error().message;
  EXPECT_EQ(hardware->device.memory, (Sourced<Bytes>{Bytes(80 * kGibi), "derived", true}));
  EXPECT_FALSE(hardware->device.memory_bandwidth.unvalidated);
  const std::string text = write_hardware(*hardware);
  EXPECT_NE(text.find("value: 80 GiB\n    source: derived\n    unvalidated: true\n"), std::string::npos)
      << text;
  EXPECT_EQ(text.find("unvalidated: false"), std::string::npos);
}

// A count of the network alone is as it always was; as a figure it says where it is from.
TEST(HardwareYaml, KeepsTheSourcesOfCounts) {
  EXPECT_TRUE(read_hardware_text(kGood, "cluster.yaml")->count_sources.empty());
  const std::string text = replaced(kGood, "nics_per_node: 2\n",
                                    "nics_per_node: {value: 2}\nrails: {value: false, source: \"a visit\"}\n"
                                    "spines: {value: 0, source: \"not published\", unvalidated: true}\n");
  const Result<Hardware> hardware = read_hardware_text(text, "folder/cluster.yaml");
  ASSERT_TRUE(hardware) << hardware.error().message;
  EXPECT_EQ(hardware->nics_per_node, 2);
  EXPECT_FALSE(hardware->rails);
  EXPECT_EQ(hardware->spines, 0);
  EXPECT_EQ(hardware->count_sources,
            (std::map<std::string, CountSource>{{"nics_per_node", {"cluster.yaml", false}},
                                                {"rails", {"a visit", false}},
                                                {"spines", {"not published", true}}}));
  const std::string written = write_hardware(*hardware);
  EXPECT_NE(written.find("\nspines:\n  value: 0\n  source: not published\n  unvalidated: true\n"),
            std::string::npos)
      << written;
  EXPECT_NE(written.find("\nnodes_per_pod: 2\n"), std::string::npos) << written;
  EXPECT_EQ(read_hardware_text(written, "again.yaml").value(), *hardware);
}

TEST(HardwareYaml, WritesWhatItReads) {
  const Hardware hardware = sample_hardware();
  const std::string text = write_hardware(hardware);
  const Result<Hardware> again = read_hardware_text(text, "again.yaml");
  ASSERT_TRUE(again) << again.error().message << "\n" << text;
  EXPECT_EQ(*again, hardware);
  EXPECT_NE(
      text.find("\n    - {layout: forward, batch: 1, m: 256, n: 256, k: 256, rate: 65100000000 FLOP/s}\n"),
      std::string::npos);
}

struct Spoilt {
  std::string from;
  std::string to;
  std::string message;
};

TEST(HardwareYaml, SaysWhereAndWhatIsWrongInOneLine) {
  const std::vector<Spoilt> table = {
      {"bandwidth: 25 GB/s", "bandwidth: 25",
       "h.yaml:15: nic.bandwidth: \"25\" has no unit (try \"25 GB/s\")"},
      {"num_nodes: 2", "num_nodes: two",
       "h.yaml:2: num_nodes: \"two\" is not a whole number (allowed: 1 to 1000000)"},
      {"num_nodes: 2", "num_nodes: 0", "h.yaml:2: num_nodes: \"0\" is out of range (allowed: 1 to 1000000)"},
      {"num_nodes: 2", "num_nodes: \"2\"",
       "h.yaml:2: num_nodes: \"2\" is a text, not a whole number (leave the quotes out)"},
      {"num_nodes: 2", "num_nodes:", "h.yaml:2: num_nodes: nothing where a whole number is expected"},
      {"num_nodes: 2", "num_nodes: [2]", "h.yaml:2: num_nodes: a list where a whole number is expected"},
      {"num_nodes: 2\n", "",
       "h.yaml:1: key \"num_nodes\" is missing (allowed: a whole number from 1 to 1000000)"},
      {"num_nodes: 2", "num_node: 2", "h.yaml:2: num_node: unknown key (did you mean \"num_nodes\"?)"},
      {"  memory_efficiency: 0.8", "  memory_efficiency: .nan",
       "h.yaml:11: device.memory_efficiency: \".nan\" is not a finite number"},
      {"  memory_efficiency: 0.8", "  memory_efficiency: 1.5",
       "h.yaml:11: device.memory_efficiency: 1.5 is not allowed (must be above 0, at most 1)"},
      {"  memory_efficiency: 0.8", "  memory_efficiency: unknown",
       "h.yaml:11: device.memory_efficiency: unknown: fill it in, there or with hardware_overrides"},
      {"{value: 80 GiB, source: \"datasheet\"}", "{value: 80 GiB, sauce: \"datasheet\"}",
       "h.yaml:6: device.memory.sauce: is not a key of a figure (allowed: value, source, unvalidated)"},
      {"source: \"datasheet\"}", "source: \"datasheet\", unvalidated: maybe}",
       "h.yaml:6: device.memory.unvalidated: \"maybe\" is not known (allowed: true, false)"},
      {"{value: 80 GiB, source: \"datasheet\"}", "{source: \"datasheet\"}",
       "h.yaml:6: device.memory: has no value (allowed: {value: ..., source: \"...\"})"},
      {"value: 80 GiB", "value: 80 GX",
       "h.yaml:6: device.memory.value: \"80 GX\" has unknown unit \"GX\" (allowed: B, kB, MB, GB, TB, KiB, "
       "MiB, GiB, "
       "TiB)"},
      {"layout: forward", "layout: sideways",
       "h.yaml:13: device.gemm_points[0].layout: \"sideways\" is not known (allowed: forward, "
       "backward_input, "
       "backward_weight, attention)"},
      {"m: 256", "m: 99999999999999999999",
       "h.yaml:13: device.gemm_points[0].m: \"99999999999999999999\" is not a whole number (allowed: 1 to "
       "1000000000)"},
      {"{bf16: 312 TFLOP/s}", "{bf17: 312 TFLOP/s}",
       "h.yaml:7: device.peak.bf17: unknown key (did you mean \"bf16\"?)"},
      {"{bf16: 312 TFLOP/s}", "{bf16: -1 TFLOP/s}",
       "h.yaml:7: device.peak.bf16: \"-1 TFLOP/s\" is negative (allowed: 0 and above)"},
      {"{bf16: 312 TFLOP/s}", "fast",
       "h.yaml:7: device.peak: \"fast\" is not a mapping (allowed: lines of \"key: value\")"},
      {"nics_per_node: 2", "nics_per_node: 3",
       "h.yaml:4: nics_per_node: 3 is not allowed (must divide gpus_per_node, 4, as each network card serves "
       "the same "
       "number of GPUs)"},
      {"nic: {bandwidth: 25 GB/s, efficiency: 0.9}\n", "",
       "h.yaml:1: nic.bandwidth: 0 B/s is not allowed (must be above zero and finite)"},
      {"nics_per_node: 2", "nics_per_node: {value: 3, source: \"order\"}",
       "h.yaml:4: nics_per_node: 3 is not allowed (must divide gpus_per_node, 4, as each network card serves "
       "the same number of GPUs)"},
      {"nics_per_node: 2", "spines: {value: many, source: \"order\"}",
       "h.yaml:4: spines.value: \"many\" is not a whole number (allowed: 0 to 1000000)"},
      {"nics_per_node: 2", "spines: {source: \"order\"}",
       "h.yaml:4: spines: has no value (allowed: {value: ..., source: \"...\"})"},
      {"num_nodes: 2", "num_nodes: {value: 2}",
       "h.yaml:2: num_nodes: a mapping where a whole number is expected"},
      {"nics_per_node: 2", "rails: 2", "h.yaml:4: rails: \"2\" is not known (allowed: true, false)"},
      {"nics_per_node: 2", "links_per_trunk: 0",
       "h.yaml:4: links_per_trunk: \"0\" is out of range (allowed: 1 to 1000)"},
      {"nics_per_node: 2", "nics_per_node: 2\nnodes_per_pod: 1\npods_per_group: 1\nspines: 1",
       "h.yaml:1: core_switches: 0 is not allowed with 2 groups (2 pods, 1 in a group: no link would join "
       "them; must be at least 1)"},
      {"nics_per_node: 2", "nics_per_node: 2\ncore_switches: 1",
       "h.yaml:5: core_switches: 1 is not allowed without spines (must be 0)"},
      {"nic: {bandwidth: 25 GB/s", "pcie: {bandwidth: 0 GB/s, efficiency: 1}\nnic: {bandwidth: 25 GB/s",
       "h.yaml:15: pcie.bandwidth: 0 B/s is not allowed (must be above zero and finite)"},
      {"name: two-nodes\n", "name: two-nodes\nname: three\n", "h.yaml:2: name: is there twice"},
  };
  for (const Spoilt& spoilt : table) {
    const Result<Hardware> hardware = read_hardware_text(replaced(kGood, spoilt.from, spoilt.to), "h.yaml");
    ASSERT_FALSE(hardware) << spoilt.to;
    EXPECT_EQ(hardware.error().kind, ErrorKind::kBadInput);
    EXPECT_EQ(hardware.error().message, spoilt.message);
  }
}

TEST(HardwareYaml, ADeviceOrAMissingFileIsAnError) {
  EXPECT_EQ(read_hardware("/nowhere.yaml", {}).error().message, "/nowhere.yaml: no such file");
  EXPECT_EQ(read_hardware("/dev/zero", {}).error().message, "/dev/zero: is not a regular file");
}

}  // namespace
}  // namespace portolan
