#include "catalog/import/nccl_topology.h"

#include <algorithm>
#include <string>
#include <vector>

#include "catalog/import/node_report.h"
#include "tests/unit/catalog/import/fixtures.h"

namespace portolan {
namespace {

Result<NcclTopology> read_nccl(const std::string& text) { return read_nccl_topology(text, "topo.xml"); }

/// A <system> of one CPU.
std::string system_of(const std::string& inside) {
  return "<system version=\"1\">\n<cpu numaid=\"0\">\n" + inside + "</cpu>\n</system>\n";
}

/// GPUs with NVLinks to each other: `links[a][b]`.
std::string mesh(const std::vector<std::vector<int>>& links) {
  std::string text;
  for (std::size_t a = 0; a < links.size(); ++a) {
    text += "<pci busid=\"0000:1" + std::to_string(a) + ":00.0\"><gpu dev=\"0\" sm=\"80\">\n";
    for (std::size_t b = 0; b < links.size(); ++b) {
      if (links[a][b] > 0) {
        text += "<nvlink target=\"0000:1" + std::to_string(b) + ":00.0\" count=\"" +
                std::to_string(links[a][b]) + "\" tclass=\"0x030200\"/>\n";
      }
    }
    text += "</gpu></pci>\n";
  }
  return system_of(text);
}

TEST(NcclTopology, ReadsADgxA100) {
  const Result<NcclTopology> topology = read_nccl(fixture("dgx-a100-nccl.xml"));
  ASSERT_TRUE(topology) << topology.error().message;
  ASSERT_EQ(topology->gpus.size(), 8U);
  for (const NcclGpu& gpu : topology->gpus) {
    EXPECT_EQ(gpu.num_switch_links, 12);
    EXPECT_EQ(gpu.num_links(), 12);
    EXPECT_EQ(gpu.sm, 80);
    EXPECT_NEAR(gpu.pcie->rate.value, 31.508e9, 1e6);
    EXPECT_EQ(gpu.pcie->word, "16 GT/s x 16");
  }
  EXPECT_EQ(topology->gpus_per_pcie_switch, 2);
  EXPECT_EQ(topology->gpus[0].pci_address, "0000:07:00.0");
  EXPECT_EQ(topology->gpus[0].numa_node, 3);
  EXPECT_EQ(topology->gpus[7].numa_node, 5);
  ASSERT_EQ(topology->cards.size(), 10U);
  EXPECT_EQ(std::ranges::count(topology->cards, true, &NcclCard::is_near_gpu), 8);
  EXPECT_EQ(
      topology->cards[0],
      (NcclCard{
          .name = "mlx5_0", .line = 26, .speed = BytesPerSecond(25e9), .numa_node = 3, .is_near_gpu = true}));
}

TEST(NcclTopology, ReportsADgxA100) {
  const auto report = report_of(*read_nccl(fixture("dgx-a100-nccl.xml")));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->num_gpus, 8);
  EXPECT_EQ(*report->cards, (std::vector<std::string>{"mlx5_0", "mlx5_1", "mlx5_2", "mlx5_3", "mlx5_6",
                                                      "mlx5_7", "mlx5_8", "mlx5_9"}));
  EXPECT_EQ(report->nvlink_bandwidth.value, BytesPerSecond(300e9));
  EXPECT_EQ(report->nvlink_bandwidth.source,
            "topo.xml: 12 NVLinks a GPU; 25.00 GB/s each (compute capability 80, NVIDIA's white paper)");
  ASSERT_TRUE(report->pcie_bandwidth);
  EXPECT_NEAR(report->pcie_bandwidth->value->value, 16e9 * 128 / 130 * 16 / 8, 1);
  EXPECT_EQ(report->pcie_bandwidth->source,
            "topo.xml: 16 GT/s x 16 (line 4), the slowest PCIe link from a GPU to the CPU");
  EXPECT_EQ(report->nic_bandwidth.value, BytesPerSecond(25e9));
  EXPECT_EQ(report->links_of_pair, 12);
  EXPECT_EQ(report->assumed,
            (std::vector<std::string>{
                "topo.xml: up to 2 GPUs share a PCIe link to the CPU: described as if each had its own",
                "topo.xml: 2 of 10 network cards share no PCIe switch with a GPU and were left out (mlx5_4, "
                "mlx5_5)"}));
}

TEST(NcclTopology, ReportsPcieWhereThereIsNoNvlink) {
  const auto report = report_of(*read_nccl(fixture("pcie-4gpu-nccl.xml")));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->num_gpus, 4);
  EXPECT_EQ(report->links_of_pair, 0);
  EXPECT_NEAR(report->nvlink_bandwidth.value->value, 31.508e9, 1e6);
  EXPECT_EQ(report->nvlink_bandwidth.source,
            "topo.xml: 16 GT/s x 16 (line 3), the slowest PCIe link from a GPU to the CPU; no NVLink");
  EXPECT_EQ(report->pcie_bandwidth->value, report->nvlink_bandwidth.value);
  EXPECT_EQ(report->nic_bandwidth.value, BytesPerSecond(12.5e9));
  EXPECT_EQ(report->assumed, (std::vector<std::string>{
                                 "topo.xml: no NVLink: nvlink is a GPU's PCIe link of 31.51 GB/s; what it "
                                 "shares with pcie, PCIe switches and CPUs is not described"}));
}

/// A switch with the given link to the CPU, below it a GPU with each of the others: attributes of <pci>.
std::string switch_of(const std::string& up, const std::vector<std::string>& gpus) {
  std::string text = "<pci " + up + ">\n";
  for (const std::string& gpu : gpus) {
    text += "<pci " + gpu + "><gpu sm=\"80\"/></pci>\n";
  }
  return text + "</pci>\n";
}

// What decides is the slowest link on the way of any GPU, its own or the switch's above it.
TEST(NcclTopology, DescribesAllGpusWithTheSlowestPcieLink) {
  const std::string wide = "link_speed=\"16.0 GT/s PCIe\" link_width=\"16\"";
  const std::string narrow = "link_speed=\"16 GT/s\" link_width=\"8\"";
  const std::string slow = "link_speed=\"2.5 GT/s PCIe\" link_width=\"16\"";
  const std::string fast = "link_speed=\"32.0 GT/s PCIe\" link_width=\"16\"";
  struct Row {
    std::string inside;
    double bytes_per_s;
    std::string source;
    std::string assumed;  ///< the first line
  };
  const std::vector<Row> table = {
      {switch_of(fast, {fast}), 63.0154e9, "32 GT/s x 16 (line 4)", "no NVLink"},
      {switch_of(wide, {wide}) + switch_of(wide, {narrow}), 15.7538e9, "16 GT/s x 8 (line 7)",
       "PCIe of GPUs differs, 16 GT/s x 8 (line 7) and 16 GT/s x 16 (line 4): all are described with the "
       "slower"},
      {switch_of(narrow, {wide, wide}), 15.7538e9, "16 GT/s x 8 (line 3)",
       "up to 2 GPUs share a PCIe link to the CPU"},
      {switch_of(wide, {slow}), 4e9, "2.5 GT/s x 16 (line 4)", "no NVLink"},
      {switch_of("link_speed=\"\"", {wide}), 31.5077e9, "16 GT/s x 16 (line 4)", "no NVLink"},
  };
  for (const Row& row : table) {
    const auto topology = read_nccl(system_of(row.inside));
    ASSERT_TRUE(topology) << topology.error().message;
    const auto report = report_of(*topology);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_NEAR(report->pcie_bandwidth.value().value.value().value, row.bytes_per_s, 1e6) << row.inside;
    EXPECT_TRUE(report->pcie_bandwidth->source.starts_with("topo.xml: " + row.source))
        << report->pcie_bandwidth->source;
    EXPECT_TRUE(report->assumed.front().starts_with("topo.xml: " + row.assumed)) << report->assumed.front();
  }
}

// What Linux and NCCL write where a link is not known leaves the figure to be filled in.
TEST(NcclTopology, PcieOfUnknownSpeedIsAskedFor) {
  for (const std::string attributes :
       {"", "link_speed=\"\" link_width=\"\"", "link_speed=\"Unknown\" link_width=\"16\"",
        "link_speed=\"Unknown speed\" link_width=\"255\"", "link_speed=\"16.0 GT/s PCIe\" link_width=\"0\"",
        "link_speed=\"16.0 GT/s PCIe\" link_width=\"255\"", "link_speed=\"16.0 GT/s PCIe\""}) {
    const auto topology = read_nccl(system_of("<pci " + attributes + "><gpu sm=\"80\"/></pci>"));
    ASSERT_TRUE(topology) << topology.error().message;
    const auto report = report_of(*topology);
    ASSERT_TRUE(report) << report.error().message;
    ASSERT_TRUE(report->pcie_bandwidth) << attributes;
    EXPECT_EQ(report->pcie_bandwidth->value, std::nullopt) << attributes;
    EXPECT_EQ(report->pcie_bandwidth->source,
              "topo.xml: a PCIe link of unknown speed (line 3); the GPU's datasheet, one direction");
  }
}

TEST(NcclTopology, DescribesAnEvenMeshAsASwitch) {
  const auto report = report_of(*read_nccl(mesh({{0, 4, 4}, {4, 0, 4}, {4, 4, 0}})));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->links_of_pair, 4);
  EXPECT_EQ(report->nvlink_bandwidth.value, BytesPerSecond(200e9));
  EXPECT_EQ(
      report->assumed,
      (std::vector<std::string>{"topo.xml: 4 NVLinks join each pair of GPUs without a switch: described as a "
                                "switch with 8 links a GPU"}));
}

TEST(NcclTopology, RefusesNodesThatHardwareCannotDescribe) {
  const std::string dgx = fixture("dgx-a100-nccl.xml");
  const std::vector<Malformed> table = {
      {mesh({{0, 4, 0, 0}, {4, 0, 0, 0}, {0, 0, 0, 4}, {0, 0, 4, 0}}),
       "topo.xml: GPUs 0 and 2 have no NVLink between them, others have: NVLink between some pairs only is "
       "not "
       "described yet"},
      {mesh({{0, 2, 1}, {1, 0, 2}, {2, 1, 0}}),
       "topo.xml: GPUs 0 and 2 have 1 NVLinks between them, others 2: unequal pairs are not described yet"},
      {with(dgx, "count=\"2\"", "count=\"1\""),
       "topo.xml: the GPU in line 5 has 11 NVLinks, that in line 15 has 12: GPUs must be equal"},
      {with(dgx, "sm=\"80\"", "sm=\"90\""),
       "topo.xml: GPUs of compute capability 90 and 80: GPUs must be equal"},
      {with(dgx, "speed=\"200000\"", "speed=\"100000\""),
       "topo.xml: network cards mlx5_0 (12.50 GB/s) and mlx5_1 (25.00 GB/s) differ: cards near GPUs must be "
       "equal"},
  };
  for (const Malformed& row : table) {
    const auto topology = read_nccl(row.text);
    ASSERT_TRUE(topology) << topology.error().message;
    const auto report = report_of(*topology);
    EXPECT_EQ(error_of(report), row.message);
    EXPECT_TRUE(!report && report.error().kind == ErrorKind::kInfeasible);
  }
}

TEST(NcclTopology, RefusesMalformedInput) {
  const std::vector<Malformed> table = {
      {"", "topo.xml:1: is not XML: No document element found"},
      {"{\"a\": 1}", "topo.xml:1: is not XML: No document element found"},
      {"<system>\n<cpu>\n</system>", "topo.xml:3: is not XML: Start-end tags mismatch"},
      {"<graphs version=\"1\"/>", "topo.xml:1: <graphs> is not NCCL's topology (allowed: <system>)"},
      {"<system/>", "topo.xml: names no GPU (allowed: <gpu> elements below <system>)"},
      {"<system>\xff</system>", "topo.xml:1: is not text: byte 0xff (allowed: UTF-8)"},
      {system_of("<pci><gpu sm=\"eighty\"/></pci>\n"),
       "topo.xml:3: <gpu> sm: \"eighty\" is not a whole number (allowed: 0 to 1000)"},
      {system_of("<pci>\n<gpu sm=\"80\">\n<nvlink target=\"a\" count=\"9999\"/></gpu></pci>\n"),
       "topo.xml:5: <nvlink> count: \"9999\" is not a whole number (allowed: 0 to 1000)"},
      {system_of("<pci busid=\"a\"><gpu sm=\"80\"><nvlink target=\"b\" tclass=\"0x030200\"/></gpu></pci>\n"),
       "topo.xml:3: <nvlink> target: GPU \"b\" is not in the file (allowed: the dump of a run on all GPUs of "
       "the "
       "node)"},
      {system_of("<pci><gpu sm=\"70\"><nvlink target=\"b\" tclass=\"0x068001\"/></gpu></pci>\n"),
       "topo.xml:3: <nvlink> tclass: NVLink to the CPU is not described yet"},
      {system_of("<pci><gpu sm=\"90\" gcn=\"942\"/></pci>\n"),
       "topo.xml:3: <gpu> gcn: AMD's GPUs are not read (allowed: NVIDIA's, with sm)"},
      {system_of("<pci><gpu sm=\"80\"/></pci><nic>\n<net speed=\"1\"/></nic>\n"),
       "topo.xml:4: <net> has no name (allowed: a device such as mlx5_0)"},
      {system_of("<pci><gpu/></pci><nic><net name=\"a\" speed=\"fast\"/></nic>\n"),
       "topo.xml:3: <net> speed: \"fast\" is not a whole number (allowed: 0 to 100000000)"},
      {system_of(
           "<pci><gpu/></pci><nic><net name=\"a\" speed=\"1\"/>\n<net name=\"a\" speed=\"2\"/></nic>\n"),
       "topo.xml:4: <net> name: \"a\" is there twice, at different speeds"},
      {system_of("<pci>\n<pci link_speed=\"17.0 GT/s PCIe\" link_width=\"16\"><gpu/></pci></pci>\n"),
       "topo.xml:4: <pci> link_speed: \"17.0 GT/s PCIe\" is no speed of PCIe (allowed: 2.5, 5, 8, 16, 32, 64 "
       "GT/s; "
       "empty or \"Unknown\" where it is not known)"},
      {system_of("<pci link_speed=\"16 Gb/s\"><gpu/></pci>\n"),
       "topo.xml:3: <pci> link_speed: \"16 Gb/s\" is no speed of PCIe (allowed: 2.5, 5, 8, 16, 32, 64 GT/s; "
       "empty or \"Unknown\" where it is not known)"},
      {system_of("<pci link_speed=\"16 GT/s of PCIe\"><gpu/></pci>\n"),
       "topo.xml:3: <pci> link_speed: \"16 GT/s of PCIe\" is no speed of PCIe (allowed: 2.5, 5, 8, 16, 32, "
       "64 "
       "GT/s; empty or \"Unknown\" where it is not known)"},
      {system_of("<pci link_speed=\"16 GT/s\" link_width=\"x16\"><gpu/></pci>\n"),
       "topo.xml:3: <pci> link_width: \"x16\" is not a whole number (allowed: 0 to 255)"},
      {system_of("<pci link_speed=\"16 GT/s\" link_width=\"64\"><gpu/></pci>\n"),
       "topo.xml:3: <pci> link_width: \"64\" is no width of PCIe (allowed: 1, 2, 4, 8, 12, 16, 32 lanes; 0 "
       "or "
       "255 where it is not known)"},
      {"<system><cpu host_hash=\"0x1\"/>\n<cpu host_hash=\"0x2\"/></system>",
       "topo.xml:2: <cpu> host_hash: \"0x2\" after \"0x1\" (allowed: one host)"},
  };
  for (const Malformed& row : table) {
    EXPECT_EQ(error_of(read_nccl(row.text)), row.message);
  }
}

TEST(NcclTopology, BoundsHostileInput) {
  std::string deep;
  for (int i = 0; i < 200'000; ++i) {
    deep += "<pci>";
  }
  EXPECT_TRUE(error_of(read_nccl("<system>" + deep)).starts_with("topo.xml:1: is not XML"));
  std::string nested = "<system>\n";
  for (int i = 0; i < 100; ++i) {
    nested += "<pci>\n";
  }
  for (int i = 0; i < 100; ++i) {
    nested += "</pci>";
  }
  EXPECT_EQ(error_of(read_nccl(nested + "</system>")), "topo.xml:66: nested more than 64 levels deep");
  EXPECT_EQ(error_of(read_nccl(std::string(5U << 20U, ' '))),
            "topo.xml: is 5242880 bytes (allowed: up to 4194304)");
  std::string many;
  for (int i = 0; i < 1025; ++i) {
    many += "<gpu/>\n";
  }
  EXPECT_EQ(error_of(read_nccl(system_of(many))), "topo.xml:1027: more than 1024 GPUs");
  // Entities are not expanded.
  EXPECT_EQ(error_of(read_nccl("<!DOCTYPE s [<!ENTITY a \"aaaa\">]><system>&a;</system>")),
            "topo.xml: names no GPU (allowed: <gpu> elements below <system>)");
}

// A run on one node opens no network: no card is not the same as none.
TEST(NcclTopology, SaysNothingOfCardsWithoutAny) {
  const auto report = report_of(*read_nccl(system_of("<pci><gpu sm=\"80\"/></pci>")));
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->cards);
}

}  // namespace
}  // namespace portolan
