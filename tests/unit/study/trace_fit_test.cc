#include "study/trace_fit.h"

#include <gtest/gtest.h>

#include <random>

#include "plan/collectives/collective_flows.h"
#include "plan/cost.h"
#include "plan/gemm_tiles.h"

namespace portolan {
namespace {

constexpr double kPeak = 300e12;
const Seconds kLaunch(2e-6);

Hardware a_node() {
  Hardware hardware;
  hardware.name = "mine";
  hardware.num_nodes = 1;
  hardware.gpus_per_node = 8;
  DeviceSpec& device = hardware.device;
  device.memory = {Bytes(kGibi), ""};
  device.peak[Precision::kBf16] = {FlopsPerSecond(kPeak), ""};
  device.memory_bandwidth = {BytesPerSecond(2e12), ""};
  device.gemm_efficiency = device.attention_gemm_efficiency = {0.5, "guessed", true};
  device.memory_efficiency = {0.8, ""};
  device.kernel_launch = {kLaunch, ""};
  device.gemm_tiles = GemmTiles{.multiprocessors = {100, "whitepaper"},
                                .k_overhead = {100, "elsewhere", true},
                                .sizes = {{256, 128, 0.8}, {64, 64, 0.5}}};
  hardware.nvlink = {.bandwidth = {BytesPerSecond(300e9), ""}, .latency = {}, .efficiency = {0.5, ""}};
  hardware.intra_node_step = {Seconds(1e-6), ""};
  return hardware;
}

KernelShape shape_of(const GemmRow& row) {
  KernelShape shape;
  shape.gemm_batch = row.batch;
  shape.gemm_m = row.m;
  shape.gemm_n = row.n;
  shape.gemm_k = row.k;
  return shape;
}

/// Products as a device with `tiles` takes, `rate` times as fast, each off by up to `noise`: kernels' own
/// time.
std::vector<GemmRow> products_of(const GemmTiles& tiles, double rate, double noise,
                                 const std::vector<std::int64_t>& sizes) {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> off(1 - noise, 1 + noise);
  std::vector<GemmRow> rows;
  for (const std::int64_t n : sizes) {
    for (const std::int64_t k : sizes) {
      GemmRow row{.line = 0,
                  .gpu = "",
                  .batch = 1,
                  .m = 8192,
                  .n = n,
                  .k = k,
                  .precision = Precision::kBf16,
                  .time = {}};
      row.time = tiled_gemm_time(tiles, FlopsPerSecond(kPeak), shape_of(row)) / rate * off(random);
      rows.push_back(row);
    }
  }
  return rows;
}

TEST(TraceFit, AFewShapesScaleWhatTheFileHas) {
  const Hardware before = a_node();
  TracedRows rows;
  rows.products = products_of(*before.device.gemm_tiles, 0.85, 0.02, {1024, 3072, 5120});
  rows.weight_gradients = products_of(*before.device.gemm_tiles, 0.85 * 0.9, 0.0, {1024, 3072});
  const TraceFit fit = fit_trace(rows, before, std::nullopt).value();
  ASSERT_TRUE(fit.products);
  EXPECT_FALSE(fit.tiles);
  EXPECT_NEAR(fit.products->factor, 0.85, 0.01);
  EXPECT_NEAR(fit.products->before.mean_pct, 15, 2);
  EXPECT_LT(fit.products->held_back.mean_pct, 2);
  EXPECT_NEAR(*fit.weight_gradient_rate, 0.9, 0.02);
  Hardware after = before;
  set_trace_fit(fit, "a trace", after);
  EXPECT_NEAR(after.device.gemm_tiles->sizes[0].efficiency, 0.8 * 0.85, 0.01);
  EXPECT_EQ(after.device.gemm_tiles->multiprocessors.source, "whitepaper");
  EXPECT_EQ(after.nvlink, before.nvlink);
  EXPECT_EQ(find_problem(after), std::nullopt);
  // The planner's price is the kernel's own time and a launch.
  Kernel kernel{.kind = KernelKind::kLinearForward,
                .shape = shape_of(rows.products[4]),
                .flops = rows.products[4].flops(),
                .bytes = Bytes(1),
                .operands = {}};
  EXPECT_NEAR(KernelCost(after, Precision::kBf16).time(kernel) / (rows.products[4].time + kLaunch), 1, 0.04);
}

TEST(TraceFit, ManyShapesHaveTilesOfTheirOwn) {
  const Hardware before = a_node();
  GemmTiles truth = *before.device.gemm_tiles;
  truth.k_overhead.value = 200;
  truth.sizes = {{256, 128, 0.7}, {128, 128, 0.65}};
  TracedRows rows;
  rows.products = products_of(truth, 1, 0, {512, 1536, 2048, 3072, 5120, 6912, 8192});
  const TraceFit fit = fit_trace(rows, before, std::nullopt).value();
  ASSERT_TRUE(fit.tiles);
  EXPECT_LT(fit.tiles->held_back.mean_pct, 3);
  Hardware after = before;
  set_trace_fit(fit, "a trace", after);
  EXPECT_NE(after.device.gemm_tiles->k_overhead.source.find("fit to 49 products of a trace"),
            std::string::npos);
  EXPECT_EQ(after.device.gemm_tiles->multiprocessors.value, 100);
}

TEST(TraceFit, NoEfficiencyIsAboveOne) {
  Hardware before = a_node();
  before.device.gemm_tiles.reset();
  TracedRows rows;
  rows.products = products_of(*a_node().device.gemm_tiles, 5, 0, {2048, 4096});
  Hardware after = before;
  const TraceFit fit = fit_trace(rows, before, std::nullopt).value();
  set_trace_fit(fit, "a trace", after);
  EXPECT_DOUBLE_EQ(after.device.gemm_efficiency.value, 1);
  EXPECT_FALSE(after.device.gemm_efficiency.unvalidated);
}

AttentionRow attention(std::int64_t sequence, double efficiency, double mask) {
  return {.line = 0,
          .gpu = "",
          .version = 2,
          .sequence = sequence,
          .causal = true,
          .rate = FlopsPerSecond(kPeak * efficiency / (1 + mask / static_cast<double>(sequence)))};
}

TEST(TraceFit, AttentionOfOneLengthKeepsTheMask) {
  Hardware before = a_node();
  before.device.flash_attention = {{2, {0.4, ""}, {400, "theirs"}}, {1, {0.3, ""}, {300, ""}}};
  TracedRows rows;
  rows.attention = {attention(2048, 0.6, 400)};
  Hardware after = before;
  set_trace_fit(fit_trace(rows, before, std::nullopt).value(), "a trace", after);
  ASSERT_EQ(after.device.flash_attention.size(), 2U);
  EXPECT_EQ(after.device.flash_attention[0].version, 1);
  EXPECT_NEAR(after.device.flash_attention[1].efficiency.value, 0.6, 1e-9);
  EXPECT_EQ(after.device.flash_attention[1].mask_overhead.source, "theirs");
  rows.attention.clear();
  for (std::int64_t sequence = 512; sequence <= 65536; sequence *= 2) {
    rows.attention.push_back(attention(sequence, 0.55, 250));
  }
  const TraceFit many = fit_trace(rows, before, std::nullopt).value();
  EXPECT_TRUE(many.attention.front().mask_is_fitted);
  EXPECT_NEAR(many.attention.front().constants.mask_overhead.value, 250, 20);
}

TEST(TraceFit, PassesArePricedAsTheyWereMeasured) {
  Hardware before = a_node();
  before.device.kernel_rates = {{"gelu_forward", 1, BytesPerSecond(1), "old"},
                                {"residual_add", 1, BytesPerSecond(1), "old"}};
  const std::int64_t elements = 1 << 24;
  TracedRows rows;
  rows.passes = {{KernelKind::kGeluForward, elements, Bytes(4 * elements), Seconds(60e-6)}};
  Hardware after = before;
  set_trace_fit(fit_trace(rows, before, std::nullopt).value(), "a trace", after);
  ASSERT_EQ(after.device.kernel_rates.size(), 2U);
  const Kernel kernel{.kind = KernelKind::kGeluForward,
                      .shape = {.rows = 4096, .columns = 4096},
                      .flops = {},
                      .bytes = Bytes(4 * elements),
                      .operands = {}};
  EXPECT_NEAR(KernelCost(after, Precision::kBf16).time(kernel).value, 62e-6, 1e-9);
}

TEST(TraceFit, CollectivesBecomeLinksAndThoseElsewhereAreNoted) {
  Hardware truth = a_node();
  truth.nvlink.efficiency.value = 0.7;
  truth.collective_base.value = Seconds(40e-6);
  const Cluster cluster = Cluster::build(truth).value();
  const std::vector<std::int32_t> all = {0, 1, 2, 3, 4, 5, 6, 7};
  TracedRows rows;
  for (const std::int64_t size : {1 << 12, 1 << 16, 1 << 24, 1 << 28}) {
    rows.collectives.push_back(
        {CollectiveKind::kAllReduce, all, Bytes(size),
         uncontended_time(cluster, collective_flows(cluster, {.members = all, .payload = Bytes(size)}))});
  }
  rows.collectives.push_back({CollectiveKind::kAllReduce, {0, 8}, Bytes(1 << 20), Seconds(1)});
  const TraceFit fit = fit_trace(rows, a_node(), std::nullopt).value();
  ASSERT_TRUE(fit.links);
  EXPECT_NEAR(fit.links->constants[0].value, 0.7, 0.001);
  EXPECT_NEAR(fit.links->constants[1].value, 40e-6, 1e-7);
  EXPECT_TRUE(fit.links->points.empty());
  ASSERT_EQ(fit.notes.size(), 1U);
  EXPECT_NE(fit.notes[0].find("1 collectives of ranks that mine does not have (8 GPUs)"), std::string::npos);
}

TEST(TraceFit, WhatCannotBeFittedIsLeftOutAfterAll) {
  TracedRows rows;
  rows.products = products_of(*a_node().device.gemm_tiles, 1, 0, {2048});
  rows.collectives = {{CollectiveKind::kAllReduce, {0, 1}, Bytes(1 << 20), Seconds(1e-4)}};  // one size
  rows.shares = {{TimeKind::kGemm, Seconds(3), Seconds(2), 4},
                 {TimeKind::kAllReduce, Seconds(1), Seconds(1), 7}};
  rows.left_out = {{"aten::copy_", "of no kind that is fitted", 3, Seconds(0.5)}};
  rows.time = Seconds(4);
  rows.used = Seconds(3);
  const TraceFit fit = fit_trace(rows, a_node(), std::nullopt).value();
  EXPECT_FALSE(fit.links);
  EXPECT_EQ(rows.used, Seconds(2));
  EXPECT_EQ(rows.shares[0].used, Seconds(2));
  EXPECT_EQ(rows.shares[1].used, Seconds(0));
  ASSERT_EQ(rows.left_out.size(), 2U);
  EXPECT_EQ(rows.left_out[0].what, "all_reduce");
  EXPECT_EQ(rows.left_out[0].launches, 7);
  EXPECT_NE(rows.left_out[0].reason.find("no constant follows"), std::string::npos);
}

TEST(TraceFit, NothingUsefulIsRefused) {
  TracedRows rows;
  rows.left_out = {{"aten::copy_", "of no kind that is fitted", 3, Seconds(1)}};
  const auto none = fit_trace(rows, a_node(), std::nullopt);
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("nothing of its kernels can be used (aten::copy_: of no kind"),
            std::string::npos);
  rows.products = products_of(*a_node().device.gemm_tiles, 1, 0, {2048});
  rows.products.front().precision = Precision::kFp8;
  EXPECT_NE(fit_trace(rows, a_node(), std::nullopt).error().message.find("no peak for it"),
            std::string::npos);
}

}  // namespace
}  // namespace portolan
