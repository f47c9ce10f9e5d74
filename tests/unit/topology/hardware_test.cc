#include "topology/hardware.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "sample_hardware.h"
#include "topology/cluster.h"

namespace portolan {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(FindProblem, AcceptsTheSample) { EXPECT_FALSE(find_problem(sample_hardware())); }

TEST(FindProblem, AcceptsOneNodeWithoutAFabric) {
  Hardware hardware = sample_hardware();
  hardware.num_nodes = 1;
  hardware.nics_per_node = 0;
  hardware.nodes_per_pod = 0;
  hardware.spines = 0;
  hardware.nic = {};
  hardware.trunk = {};
  EXPECT_FALSE(find_problem(hardware));
}

TEST(FindProblem, AcceptsOnePodWithoutSpines) {
  Hardware hardware = sample_hardware();
  hardware.nodes_per_pod = 64;
  hardware.spines = 0;
  hardware.trunk = {};
  EXPECT_FALSE(find_problem(hardware));
}

TEST(FindProblem, AcceptsMeasuredPointsBesideEfficienciesOfOne) {
  Hardware hardware = sample_hardware();
  hardware.device.gemm_efficiency.value = 1;
  hardware.device.attention_gemm_efficiency.value = 1;
  hardware.device.memory_efficiency.value = 1;
  hardware.nvlink.efficiency.value = 1;
  hardware.device.gemm_points = {{.m = 1, .n = 2, .k = 3, .rate = FlopsPerSecond(1e9)}};
  hardware.device.kernel_rates = {{.kernel = "gelu", .elements = 1024, .rate = BytesPerSecond(1e9)}};
  hardware.collective_points = {
      {.collective = "all_reduce", .num_ranks = 2, .size = Bytes(8), .time = Seconds(1e-6)}};
  EXPECT_FALSE(find_problem(hardware));
}

TEST(FindProblem, AcceptsThreeTiersAndPcie) {
  Hardware hardware = three_tier_hardware();
  hardware.rails = false;
  hardware.pcie = hardware.nic;
  EXPECT_FALSE(find_problem(hardware));
}

TEST(FindProblem, AcceptsCoreSwitchesAboveOneGroup) {
  Hardware hardware = three_tier_hardware();
  hardware.num_nodes = 2;
  EXPECT_FALSE(find_problem(hardware));
}

TEST(FindProblem, AcceptsTheLargestCluster) {
  Hardware hardware = sample_hardware();
  hardware.num_nodes = 125'000;
  EXPECT_FALSE(find_problem(hardware));
}

struct Breakage {
  std::function<void(Hardware&)> apply;
  std::string key;
  std::string value;  ///< a part of the message
};

void expect_problems(const std::vector<Breakage>& breakages) {
  for (const Breakage& breakage : breakages) {
    SCOPED_TRACE(breakage.key + " " + breakage.value);
    Hardware hardware = sample_hardware();
    breakage.apply(hardware);
    const auto problem = find_problem(hardware);
    ASSERT_TRUE(problem);
    EXPECT_EQ(problem->key, breakage.key);
    EXPECT_NE(problem->message.find(breakage.value), std::string::npos) << problem->message;
    EXPECT_NE(problem->message.find("must"), std::string::npos) << problem->message;
  }
}

TEST(FindProblem, NamesCounts) {
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  expect_problems({
      {[](Hardware& h) { h.num_nodes = 0; }, "num_nodes", "0 is not"},
      {[](Hardware& h) { h.num_nodes = -3; }, "num_nodes", "-3 is not"},
      {[](Hardware& h) { h.gpus_per_node = 0; }, "gpus_per_node", "0 is not"},
      {[](Hardware& h) { h.nics_per_node = -1; }, "nics_per_node", "-1 is not"},
      {[](Hardware& h) { h.nics_per_node = 0; }, "nics_per_node", "0 is not allowed with 64 nodes"},
      {[](Hardware& h) { h.nics_per_node = 3; }, "nics_per_node", "divide gpus_per_node, 8"},
      {[](Hardware& h) { h.nics_per_node = 16; }, "nics_per_node", "16 is not"},
      {[](Hardware& h) { h.nics_per_node = kHuge; }, "nics_per_node", "divide gpus_per_node, 8"},
      {[](Hardware& h) { h.nodes_per_pod = 0; }, "nodes_per_pod", "0 is not allowed with 64 nodes"},
      {[](Hardware& h) { h.nodes_per_pod = -2; }, "nodes_per_pod", "-2 is not"},
      {[](Hardware& h) { h.spines = 0; }, "spines", "0 is not allowed with 2 pods"},
      {[](Hardware& h) { h.spines = -1; }, "spines", "-1 is not"},
      {[](Hardware& h) { h.spines = 62'501; }, "spines", "62501 is not allowed with 16 leaf switches"},
      {[](Hardware& h) { h.spines = kHuge; }, "spines", "16 leaf switches"},
      {[](Hardware& h) { h.links_per_trunk = 0; }, "links_per_trunk", "0 is not"},
      {[](Hardware& h) { h.pods_per_group = -1; }, "pods_per_group", "-1 is not"},
      {[](Hardware& h) { h.pods_per_group = 1; }, "core_switches", "0 is not allowed with 2 groups"},
      {[](Hardware& h) { h.core_switches = -1; }, "core_switches", "-1 is not"},
      {[](Hardware& h) {
         h.nodes_per_pod = 64;
         h.spines = 0;
         h.core_switches = 2;
       },
       "core_switches", "2 is not allowed without spines"},
      {[](Hardware& h) { h.core_switches = 62'485; }, "core_switches", "16 spine switches and 256 trunks"},
      {[](Hardware& h) { h.core_switches = kHuge; }, "core_switches", "1000000 trunks"},
      {[](Hardware& h) { h.links_per_core_trunk = 0; }, "links_per_core_trunk", "0 is not"},
      {[](Hardware& h) { h.num_nodes = 125'001; }, "num_nodes", "125001 nodes of 8 GPUs"},
      {[](Hardware& h) { h.num_nodes = kHuge; }, "num_nodes", "1000000 GPUs"},
      {[](Hardware& h) { h.gpus_per_node = kHuge; }, "gpus_per_node", "at most 1000000"},
  });
}

TEST(FindProblem, AcceptsPodsLargerThanTheCluster) {
  Hardware hardware = sample_hardware();
  hardware.nodes_per_pod = std::numeric_limits<std::int64_t>::max();
  EXPECT_FALSE(find_problem(hardware));
}

TEST(FindProblem, NamesFiguresOfTheDevice) {
  expect_problems({
      {[](Hardware& h) { h.device.memory.value = Bytes(0); }, "device.memory", "0 B"},
      {[](Hardware& h) { h.device.memory.value = Bytes(-5); }, "device.memory", "-5 B"},
      {[](Hardware& h) { h.device.peak.clear(); }, "device.peak", "no precision"},
      {[](Hardware& h) { h.device.peak[Precision::kFp8].value = FlopsPerSecond(0); }, "device.peak",
       "fp8: 0"},
      {[](Hardware& h) { h.device.peak[Precision::kFp16].value = FlopsPerSecond(kNan); }, "device.peak",
       "fp16: nan"},
      {[](Hardware& h) { h.device.memory_bandwidth.value = BytesPerSecond(0); }, "device.memory_bandwidth",
       "0 B/s"},
      {[](Hardware& h) { h.device.gemm_efficiency.value = 1.5; }, "device.gemm_efficiency", "1.5 is not"},
      {[](Hardware& h) { h.device.gemm_efficiency.value = kNan; }, "device.gemm_efficiency", "nan is not"},
      {[](Hardware& h) { h.device.attention_gemm_efficiency.value = 0; }, "device.attention_gemm_efficiency",
       "0 is not"},
      {[](Hardware& h) { h.device.memory_efficiency.value = -0.25; }, "device.memory_efficiency",
       "-0.25 is not"},
      {[](Hardware& h) { h.device.kernel_launch.value = Seconds(-1); }, "device.kernel_launch", "-1 s"},
      {[](Hardware& h) { h.device.power_busy.value = Watts(kNan); }, "device.power_busy", "nan W"},
      {[](Hardware& h) { h.device.power_idle.value = Watts(-1); }, "device.power_idle", "-1 W"},
  });
}

TEST(FindProblem, NamesLinksStepsAndPrice) {
  expect_problems({
      {[](Hardware& h) { h.nvlink.bandwidth.value = BytesPerSecond(0); }, "nvlink.bandwidth", "0 B/s"},
      {[](Hardware& h) { h.nvlink.latency.value = Seconds(-1e-6); }, "nvlink.latency", "-1e-06 s"},
      {[](Hardware& h) { h.nvlink.efficiency.value = 0; }, "nvlink.efficiency", "0 is not"},
      {[](Hardware& h) { h.nic.bandwidth.value = BytesPerSecond(kNan); }, "nic.bandwidth", "nan B/s"},
      {[](Hardware& h) { h.nic.latency.value = Seconds(kInfinity); }, "nic.latency", "inf s"},
      {[](Hardware& h) { h.nic.efficiency.value = 1.01; }, "nic.efficiency", "1.01 is not"},
      {[](Hardware& h) { h.trunk.bandwidth.value = BytesPerSecond(-1); }, "trunk.bandwidth", "-1 B/s"},
      {[](Hardware& h) { h.trunk.latency.value = Seconds(kNan); }, "trunk.latency", "nan s"},
      {[](Hardware& h) { h.trunk.efficiency.value = 2; }, "trunk.efficiency", "2 is not"},
      {[](Hardware& h) { h.core_switches = 1; }, "core_trunk.bandwidth", "0 B/s"},
      {[](Hardware& h) { h.pcie = LinkSpec{}; }, "pcie.bandwidth", "0 B/s"},
      {[](Hardware& h) { h.intra_node_step.value = Seconds(-1); }, "intra_node_step", "-1 s"},
      {[](Hardware& h) { h.inter_node_step.value = Seconds(kNan); }, "inter_node_step", "nan s"},
      {[](Hardware& h) { h.price_per_gpu_hour.value = -2; }, "price_per_gpu_hour", "-2 is not"},
  });
}

TEST(FindProblem, NamesTilesOfProducts) {
  const auto with = [](std::int64_t multiprocessors, double k_overhead, std::vector<GemmTile> sizes) {
    return [=](Hardware& h) {
      h.device.gemm_tiles = {
          .multiprocessors = {multiprocessors, ""}, .k_overhead = {k_overhead, ""}, .sizes = sizes};
    };
  };
  expect_problems({
      {with(0, 1, {{1, 1, 1}}), "device.gemm_tiles.multiprocessors", "0 is not allowed"},
      {with(1, -1, {{1, 1, 1}}), "device.gemm_tiles.k_overhead", "-1"},
      {with(1, kNan, {{1, 1, 1}}), "device.gemm_tiles.k_overhead", "nan"},
      {[=](Hardware& h) {
         with(1, 1, {{1, 1, 1}})(h);
         h.device.gemm_tiles->weight_gradient_rate.value = 1.5;
       },
       "device.gemm_tiles.weight_gradient_rate", "1.5 is not"},
      {with(1, 1, {}), "device.gemm_tiles.sizes", "none is given"},
      {with(1, 1, {{1, 1, 1}, {0, 1, 1}}), "device.gemm_tiles.sizes", "size 2: m 0, n 1"},
      {with(1, 1, {{1, 1, 1.5}}), "device.gemm_tiles.sizes", "size 1: efficiency 1.5"},
      {with(1, 1, {{1, 1, kNan}}), "device.gemm_tiles.sizes", "size 1: efficiency nan"},
  });
}

TEST(FindProblem, NamesVersionsOfFlashAttention) {
  const auto with = [](std::vector<FlashAttention> versions) {
    return [=](Hardware& h) { h.device.flash_attention = versions; };
  };
  expect_problems({
      {with({{0, {0.5, ""}, {}}}), "device.flash_attention", "version 0 is not allowed"},
      {with({{2, {0.5, ""}, {}}, {2, {0.5, ""}, {}}}), "device.flash_attention",
       "version 2 is there twice (must"},
      {with({{2, {1.5, ""}, {}}}), "device.flash_attention", "version 2: efficiency 1.5"},
      {with({{2, {kNan, ""}, {}}}), "device.flash_attention", "version 2: efficiency nan"},
      {with({{2, {0.5, ""}, {-1, ""}}}), "device.flash_attention", "version 2: mask_overhead -1"},
      {with({{2, {0.5, ""}, {kInfinity, ""}}}), "device.flash_attention", "version 2: mask_overhead inf"},
      {with({{2, {0.5, ""}, {}, {0, ""}}}), "device.flash_attention", "version 2: forward_rate 0"},
      {with({{2, {0.5, ""}, {}, {kNan, ""}}}), "device.flash_attention", "version 2: forward_rate nan"},
      {with({{2, {0.9, ""}, {}, {2, ""}}}), "device.flash_attention",
       "version 2: efficiency 0.9 with forward_rate 2 is not"},
  });
}

TEST(FindProblem, NamesMeasuredPoints) {
  expect_problems({
      {[](Hardware& h) { h.device.gemm_points = {{.m = 0, .n = 1, .k = 1, .rate = FlopsPerSecond(1)}}; },
       "device.gemm_points", "point 1: batch 1, m 0"},
      {[](Hardware& h) { h.device.gemm_points = {{.m = 1, .n = 1, .k = 1, .rate = FlopsPerSecond(kNan)}}; },
       "device.gemm_points", "nan FLOP/s"},
      {[](Hardware& h) {
         h.device.kernel_rates = {{.kernel = "", .elements = 1, .rate = BytesPerSecond(1)}};
       },
       "device.kernel_rates", "rate 1"},
      {[](Hardware& h) { h.device.kernel_rates = {{.kernel = "gelu", .rate = BytesPerSecond(1)}}; },
       "device.kernel_rates", "(gelu): 0 elements"},
      {[](Hardware& h) { h.device.kernel_rates = {{.kernel = "gelu", .elements = 1, .rate = {}}}; },
       "device.kernel_rates", "(gelu): 0 B/s"},
      {[](Hardware& h) { h.collective_points = {{.collective = "", .size = Bytes(1), .time = Seconds(1)}}; },
       "collective_points", "point 1"},
      {[](Hardware& h) {
         h.collective_points = {
             {.collective = "all_reduce", .num_ranks = 1, .size = Bytes(1), .time = Seconds(1)}};
       },
       "collective_points", "1 ranks"},
      {[](Hardware& h) {
         h.collective_points = {{.collective = "all_reduce", .size = {}, .time = Seconds(1)}};
       },
       "collective_points", "0 B"},
      {[](Hardware& h) {
         h.collective_points = {{.collective = "all_reduce", .size = Bytes(1), .time = {}}};
       },
       "collective_points", "0 s"},
  });
}

TEST(ClusterBuild, RefusesWithTheKey) {
  Hardware hardware = sample_hardware();
  hardware.nic.bandwidth.value = BytesPerSecond(0);
  const auto cluster = Cluster::build(hardware);
  ASSERT_FALSE(cluster);
  EXPECT_EQ(cluster.error(),
            bad_input("nic.bandwidth: 0 B/s is not allowed (must be above zero and finite)"));
}

}  // namespace
}  // namespace portolan
