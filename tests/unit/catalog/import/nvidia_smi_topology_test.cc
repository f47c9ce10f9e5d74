#include "catalog/import/nvidia_smi_topology.h"

#include <string>
#include <vector>

#include "catalog/import/node_report.h"
#include "tests/unit/catalog/import/fixtures.h"

namespace portolan {
namespace {

Result<NvidiaSmiTopology> read_smi(const std::string& text) {
  return read_nvidia_smi_topology(text, "smi.txt");
}

TEST(NvidiaSmiTopology, ReadsADgxA100) {
  const auto topology = read_smi(fixture("dgx-a100-nvidia-smi.txt"));
  ASSERT_TRUE(topology) << topology.error().message;
  EXPECT_EQ(topology->num_gpus, 8U);
  ASSERT_EQ(topology->cards.size(), 10U);
  EXPECT_EQ(topology->cards[9], "mlx5_9");
  EXPECT_EQ(topology->between(0, 7), (NvidiaSmiCell{.nearness = Nearness::kNvlink, .num_links = 12}));
  EXPECT_EQ(topology->between(0, 8).nearness, Nearness::kPxb);
  EXPECT_EQ(topology->between(12, 13).nearness, Nearness::kPix);
  EXPECT_EQ(topology->between(2, 12).nearness, Nearness::kNode);
  EXPECT_EQ(topology->between(0, 17).nearness, Nearness::kSys);
  EXPECT_TRUE(topology->is_near_gpu(0));
  EXPECT_FALSE(topology->is_near_gpu(4));
  const auto report = report_of(*topology);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->cards->size(), 8U);
  EXPECT_EQ(report->links_of_pair, 12);
  EXPECT_EQ(report->nvlink_bandwidth.value, std::nullopt);
  EXPECT_EQ(report->nvlink_bandwidth.source,
            "smi.txt: NV12 between GPUs; the rate of a link is in the GPU's datasheet");
}

TEST(NvidiaSmiTopology, ReadsAPcieBoxWithItsUnderlining) {
  const auto topology = read_smi(fixture("pcie-4gpu-nvidia-smi.txt"));
  ASSERT_TRUE(topology) << topology.error().message;
  EXPECT_EQ(topology->num_gpus, 4U);
  EXPECT_EQ(topology->cards, (std::vector<std::string>{"mlx5_0"}));
  const auto report = report_of(*topology);
  ASSERT_TRUE(report);
  EXPECT_EQ(*report->cards, (std::vector<std::string>{"mlx5_0"}));  // none is near: all count
  EXPECT_TRUE(report->assumed.empty());
}

TEST(NvidiaSmiTopology, RefusesUnequalPairs) {
  const auto topology = read_smi("\tGPU0\tGPU1\tGPU2\nGPU0 X NV4 SYS\nGPU1 NV4 X SYS\nGPU2 SYS SYS X\n");
  ASSERT_TRUE(topology) << topology.error().message;
  EXPECT_EQ(error_of(report_of(*topology)),
            "smi.txt: GPUs 0 and 2 have 0 NVLinks between them, GPUs 0 and 1 have 4: unequal pairs are not "
            "described yet");
}

TEST(NvidiaSmiTopology, RefusesMalformedInput) {
  const std::string no_matrix =
      "smi.txt: has no matrix (allowed: what \"nvidia-smi topo -m\" prints, with a line of columns GPU0 ...)";
  const std::vector<Malformed> table = {
      {"", no_matrix},
      {"Failed to initialize NVML\n", no_matrix},
      {std::string("\tGPU0\0\n", 7), "smi.txt:1: is not text: byte 0x00 (allowed: UTF-8)"},
      {"\x1b]0;title\x07", "smi.txt:1: is not text: byte 0x1b (allowed: UTF-8)"},
      {" GPU0 GPU2\n", "smi.txt:1: column \"GPU2\" where GPU1 or a network card is expected"},
      {" GPU0 GPU1\nGPU0 X SYS\n", "smi.txt:2: the end where the row of GPU1 is expected"},
      {" GPU0 GPU1\nGPU1 SYS X\n", "smi.txt:2: \"GPU1\" where the row of GPU0 is expected"},
      {" GPU0 GPU1\nGPU0 X\n", "smi.txt:2: row GPU0 has 1 cells (allowed: 2, one a column)"},
      {" GPU0 GPU1\nGPU0 X NV\n",
       "smi.txt:2: row GPU0, column GPU1: \"NV\" is not known (allowed: X, NV#, PIX, PXB, PHB, NODE, SYS)"},
      {" GPU0 GPU1\nGPU0 X NV0\n",
       "smi.txt:2: row GPU0, column GPU1: \"NV0\" is not known (allowed: X, NV#, PIX, PXB, PHB, NODE, SYS)"},
      {" GPU0 GPU1\nGPU0 SYS X\n",
       "smi.txt:2: row GPU0, column GPU0: \"SYS\" is not allowed (X joins a device to itself, and only "
       "there)"},
      {" GPU0 GPU1\nGPU0 X PIX\nGPU1 SYS X\n",
       "smi.txt:3: row GPU1, column GPU0: \"SYS\" differs from the cell across the diagonal"},
      {std::string(2U << 20U, ' '), "smi.txt: is 2097152 bytes (allowed: up to 1048576)"},
  };
  for (const Malformed& row : table) {
    EXPECT_EQ(error_of(read_smi(row.text)), row.message);
  }
  std::string header;
  for (int i = 0; i < 513; ++i) {
    header += " GPU" + std::to_string(i);
  }
  EXPECT_EQ(error_of(read_smi(header)), "smi.txt:1: 513 devices (allowed: up to 512)");
}

}  // namespace
}  // namespace portolan
