#include "catalog/import/cluster_import.h"

#include <string>
#include <vector>

#include "catalog/hardware_yaml.h"
#include "tests/unit/catalog/import/fabric_text.h"
#include "tests/unit/catalog/import/fixtures.h"
#include "topology/cluster.h"

namespace portolan {
namespace {

/// Texts of what is known; empty: not known.
struct Texts {
  std::string nccl;
  std::string nvidia_smi;
  std::string slurm;
  std::string fabric;
};

Result<ImportedHardware> import(const Texts& texts, const std::string& name = "c") {
  ClusterReports reports;
  if (!texts.nccl.empty()) {
    PORTOLAN_TRY(reports.nccl, read_nccl_topology(texts.nccl, "topo.xml"));
  }
  if (!texts.nvidia_smi.empty()) {
    PORTOLAN_TRY(reports.nvidia_smi, read_nvidia_smi_topology(texts.nvidia_smi, "smi.txt"));
  }
  if (!texts.slurm.empty()) {
    PORTOLAN_TRY(reports.slurm, read_slurm_topology(texts.slurm, "topology.conf"));
  }
  if (!texts.fabric.empty()) {
    PORTOLAN_TRY(reports.infiniband, read_ibnetdiscover(texts.fabric, "fabric.txt"));
  }
  return import_cluster(reports, name);
}

/// `yaml` with a value for every unknown, as a person would fill it in.
std::string filled(std::string yaml, const std::string& counts) {
  const std::vector<std::pair<std::string, std::string>> values = {
      {"memory", "80 GiB"},         {"bf16", "312 TFLOP/s"},     {"memory_bandwidth", "2039 GB/s"},
      {"bandwidth", "50 GB/s"},     {"latency", "1 us"},         {"efficiency", "0.8"},
      {"gemm_efficiency", "0.7"},   {"kernel_launch", "2 us"},   {"attention_gemm_efficiency", "0.5"},
      {"memory_efficiency", "0.8"}, {"intra_node_step", "3 us"}, {"inter_node_step", "10 us"}};
  for (const auto& [key, value] : values) {
    const std::string unknown = " " + key + ": {value: unknown";
    for (std::size_t at = yaml.find(unknown); at != std::string::npos; at = yaml.find(unknown)) {
      yaml.replace(at, unknown.size(), " " + key + ": {value: " + value);
    }
    const std::string top = "\n" + key + ": {value: unknown";
    if (const std::size_t at = yaml.find(top); at != std::string::npos) {
      yaml.replace(at, top.size(), "\n" + key + ": {value: " + value);
    }
  }
  for (const std::string key : {"num_nodes", "gpus_per_node", "nodes_per_pod", "spines"}) {
    const std::string unknown = "\n" + key + ": unknown";
    if (const std::size_t at = yaml.find(unknown); at != std::string::npos) {
      yaml.replace(at, unknown.size(), "\n" + key + ": " + counts);
    }
  }
  return yaml;
}

TEST(ClusterImport, JoinsANodeWithItsFabric) {
  const auto hardware = import(
      {.nccl = fixture("dgx-a100-nccl.xml"),
       .nvidia_smi = fixture("dgx-a100-nvidia-smi.txt"),
       .slurm =
           "SwitchName=p0 Nodes=node[0-3]\nSwitchName=p1 Nodes=node[4-5]\nSwitchName=s Switches=p[0-1]\n",
       .fabric = rail_tree({.nodes = 6, .cards = 8, .nodes_per_pod = 4, .spines = 4, .links_per_trunk = 2})
                     .join("login mlx5_0", "leaf0.0")
                     .text()});
  ASSERT_TRUE(hardware) << hardware.error().message;
  EXPECT_EQ(hardware->num_nodes.value, 6);
  EXPECT_EQ(hardware->gpus_per_node.value, 8);
  EXPECT_EQ(hardware->nics_per_node.value, 8);
  EXPECT_EQ(hardware->nodes_per_pod.value, 4);
  EXPECT_EQ(hardware->spines.value, 4);
  EXPECT_EQ(hardware->nvlink_bandwidth.value, BytesPerSecond(300e9));
  EXPECT_EQ(hardware->nic_bandwidth.value, BytesPerSecond(25e9));
  EXPECT_EQ(hardware->trunk_bandwidth.value, BytesPerSecond(50e9));
  EXPECT_EQ(hardware->trunk_bandwidth.source, "fabric.txt: 2 x 4xHDR from a leaf to a spine switch");
  const Result<Hardware> read = read_hardware_text(filled(write_imported(*hardware), "1"), "c.yaml");
  ASSERT_TRUE(read) << read.error().message << "\n" << write_imported(*hardware);
  EXPECT_EQ(read->num_gpus(), 48);
  EXPECT_EQ(read->nvlink.bandwidth.source,
            "topo.xml: 12 NVLinks a GPU; 25.00 GB/s each (compute capability 80, NVIDIA's white paper)");
  const Result<Cluster> cluster = Cluster::build(*read);
  ASSERT_TRUE(cluster) << cluster.error().message;
  // PCIe is as the dump says it, so that there is a way to the host.
  ASSERT_TRUE(read->pcie);
  EXPECT_NEAR(read->pcie->bandwidth.value.value, 31.508e9, 1e6);
  EXPECT_TRUE(cluster->host_route(0));
  EXPECT_EQ(cluster->num_vertices(VertexKind::kLeafSwitch), 16);
  EXPECT_EQ(cluster->num_vertices(VertexKind::kSpineSwitch), 4);
}

// Of PCIe the dump gives the line rate alone; the rest is asked for as that of any link.
TEST(ClusterImport, AsksForWhatTheDumpDoesNotSayOfPcie) {
  const auto hardware = import({.nccl = fixture("dgx-a100-nccl.xml"),
                                .nvidia_smi = {},
                                .slurm = "SwitchName=s Nodes=a[1-4]\n",
                                .fabric = {}});
  ASSERT_TRUE(hardware) << hardware.error().message;
  std::vector<std::string> of_pcie;
  for (const std::string& key : unknown_keys(*hardware)) {
    if (key.starts_with("pcie.")) {
      of_pcie.push_back(key);
    }
  }
  EXPECT_EQ(of_pcie, (std::vector<std::string>{"pcie.latency", "pcie.efficiency"}));
  const std::string yaml = write_imported(*hardware);
  const std::string rest = filled(with(yaml, yaml.substr(yaml.find("pcie:")), ""), "1");
  EXPECT_TRUE(read_hardware_text(rest + "nic: {bandwidth: 25 GB/s, efficiency: 0.9}\n", "c.yaml"));
  const std::string pcie = yaml.substr(yaml.find("pcie:"), yaml.find("nic:") - yaml.find("pcie:"));
  EXPECT_TRUE(error_of(read_hardware_text(rest + pcie, "c.yaml")).find(": pcie.latency.value: unknown") !=
              std::string::npos)
      << error_of(read_hardware_text(rest + pcie, "c.yaml"));
}

// Whatever is known, what is written loads once the unknown is filled in, and makes a cluster.
TEST(ClusterImport, RoundTripsEveryFixture) {
  const std::string slurm = fixture("two-level-topology.conf");
  const std::vector<Texts> table = {
      {.nccl = fixture("dgx-a100-nccl.xml"), .nvidia_smi = {}, .slurm = {}, .fabric = {}},
      {.nccl = {}, .nvidia_smi = fixture("dgx-a100-nvidia-smi.txt"), .slurm = {}, .fabric = {}},
      {.nccl = fixture("pcie-4gpu-nccl.xml"),
       .nvidia_smi = fixture("pcie-4gpu-nvidia-smi.txt"),
       .slurm = {},
       .fabric = {}},
      {.nccl = fixture("dgx-a100-nccl.xml"), .nvidia_smi = {}, .slurm = slurm, .fabric = {}},
      {.nccl = {}, .nvidia_smi = {}, .slurm = {}, .fabric = fixture("fat-tree-ibnetdiscover.txt")},
  };
  for (const Texts& texts : table) {
    const auto hardware = import(texts);
    ASSERT_TRUE(hardware) << hardware.error().message;
    const std::string yaml = write_imported(*hardware);
    const Result<Hardware> unfilled = read_hardware_text(yaml, "c.yaml");
    ASSERT_FALSE(unfilled);
    EXPECT_NE(unfilled.error().message.find(unknown_keys(*hardware).front() + ":"), std::string::npos)
        << unfilled.error().message;
    const Result<Hardware> read = read_hardware_text(filled(yaml, "2"), "c.yaml");
    ASSERT_TRUE(read) << read.error().message << "\n" << yaml;
    EXPECT_EQ(read_hardware_text(write_hardware(*read), "c.yaml").value(), *read);
    EXPECT_TRUE(Cluster::build(*read));
  }
}

TEST(ClusterImport, LeavesUnknownWhatNobodySays) {
  const auto hardware = import(
      {.nccl = {}, .nvidia_smi = {}, .slurm = "SwitchName=s Nodes=a[1-4] LinkSpeed=100\n", .fabric = {}});
  ASSERT_TRUE(hardware) << hardware.error().message;
  EXPECT_EQ(hardware->num_nodes.value, 4);
  EXPECT_EQ(hardware->nodes_per_pod.value, 4);
  EXPECT_EQ(hardware->spines.value, 0);
  EXPECT_EQ(
      hardware->assumed,
      (std::vector<std::string>{"topology.conf: LinkSpeed=100 was passed over: Slurm gives it no unit"}));
  EXPECT_EQ(
      unknown_keys(*hardware),
      (std::vector<std::string>{
          "gpus_per_node", "nics_per_node", "device.memory", "device.peak.bf16", "device.memory_bandwidth",
          "device.gemm_efficiency", "device.attention_gemm_efficiency", "device.memory_efficiency",
          "device.kernel_launch", "nvlink.bandwidth", "nvlink.latency", "nvlink.efficiency", "nic.bandwidth",
          "nic.latency", "nic.efficiency", "intra_node_step", "inter_node_step"}));
  EXPECT_EQ(error_of(read_hardware_text(write_imported(*hardware), "c.yaml")),
            "c.yaml:10: gpus_per_node: unknown: fill it in, there or with hardware_overrides");
}

TEST(ClusterImport, RefusesContradictionsInOneLine) {
  const std::string nccl = fixture("dgx-a100-nccl.xml");
  const std::string box = fixture("pcie-4gpu-nvidia-smi.txt");
  const std::string pair = "\tGPU0\tGPU1\nGPU0 X SYS\nGPU1 SYS X\n";
  const std::string linked = "\tGPU0\tGPU1\nGPU0 X NV4\nGPU1 NV4 X\n";
  const std::string two_gpus =
      "<system><cpu><pci busid=\"a\"><gpu sm=\"80\"/></pci><pci busid=\"b\"><gpu sm=\"80\"/></pci><nic><net "
      "name=\"mlx5_0\" speed=\"100000\"/></nic></cpu></system>";
  struct Row {
    Texts texts;
    std::string message;
    ErrorKind kind = ErrorKind::kBadInput;
  };
  const std::vector<Row> table = {
      {{},
       "nothing to import (allowed: at least one of --nccl-topo, --nvidia-smi, --slurm, --ibnetdiscover)"},
      {{.nccl = nccl, .nvidia_smi = box, .slurm = {}, .fabric = {}},
       "gpus_per_node: smi.txt has 4 GPUs, topo.xml has 8 (allowed: reports of equal nodes)"},
      {{.nccl = two_gpus, .nvidia_smi = pair, .slurm = {}, .fabric = {}},
       "nics_per_node: smi.txt has 0 network cards near GPUs, topo.xml has 1 (allowed: reports of equal "
       "nodes)"},
      {{.nccl = with(two_gpus, "<nic><net name=\"mlx5_0\" speed=\"100000\"/></nic>", ""),
        .nvidia_smi = linked,
        .slurm = {},
        .fabric = {}},
       "nvlink: smi.txt has 4 NVLinks between two GPUs, topo.xml has 0 (allowed: reports of equal nodes)"},
      {{.nccl = nccl, .nvidia_smi = {}, .slurm = {}, .fabric = rail_tree({.cards = 4}).text()},
       "nics_per_node: topo.xml has 8 network cards near GPUs, fabric.txt has 4 adapters of a host (allowed: "
       "reports "
       "of equal nodes)"},
      {{.nccl = two_gpus, .nvidia_smi = {}, .slurm = {}, .fabric = rail_tree({.cards = 1}).text()},
       "nic.bandwidth: topo.xml has 12.50 GB/s, fabric.txt has 25.00 GB/s (4xHDR) (allowed: reports of equal "
       "nodes)"},
      {{.nccl = {},
        .nvidia_smi = {},
        .slurm = "SwitchName=s Nodes=node[0-3]\n",
        .fabric = rail_tree({.nodes = 4, .nodes_per_pod = 2}).text()},
       "nodes_per_pod: topology.conf has 4 nodes below a leaf switch, fabric.txt has 2 (allowed: equal pods; "
       "leave "
       "--slurm out to go by the cables)"},
      {{.nccl = {},
        .nvidia_smi = {},
        .slurm = "SwitchName=s Nodes=node[0-4]\n",
        .fabric = rail_tree({}).text()},
       "num_nodes: topology.conf names node node4, fabric.txt has no adapter of it"},
      {{.nccl = {},
        .nvidia_smi = {},
        .slurm = "SwitchName=a Nodes=a\nSwitchName=b Switches=a\nSwitchName=c Switches=b\n",
        .fabric = {}},
       "topology.conf: 3 levels of switches below c: a third tier is not described yet (allowed: 2)",
       ErrorKind::kInfeasible},
      {{.nccl = {}, .nvidia_smi = {}, .slurm = "SwitchName=a Nodes=a\nSwitchName=b Nodes=b\n", .fabric = {}},
       "topology.conf: 2 switches are below no other (a, b): parts that nothing joins are not described",
       ErrorKind::kInfeasible},
      {{.nccl = {},
        .nvidia_smi = "\tGPU0\tNIC0\tNIC1\nGPU0 X PIX PIX\nNIC0 PIX X PIX\nNIC1 PIX PIX X\n",
        .slurm = {},
        .fabric = {}},
       "nics_per_node: 2 network cards (smi.txt: network cards near GPUs of a node) for 1 GPUs (smi.txt: "
       "GPUs of a "
       "node) are not described yet (allowed: a number that divides the GPUs)",
       ErrorKind::kInfeasible},
  };
  for (const Row& row : table) {
    const auto hardware = import(row.texts);
    EXPECT_EQ(error_of(hardware), row.message);
    EXPECT_TRUE(!hardware && hardware.error().kind == row.kind) << row.message;
  }
  EXPECT_EQ(error_of(import({.nccl = nccl, .nvidia_smi = {}, .slurm = {}, .fabric = {}}, "")),
            "--name: is empty (allowed: a name for the hardware)");
}

}  // namespace
}  // namespace portolan
