#include "study/gemm_fit.h"

#include <gtest/gtest.h>

#include <random>

#include "plan/gemm_tiles.h"

namespace portolan {
namespace {

constexpr std::int64_t kMultiprocessors = 108;

DeviceSpec device() {
  DeviceSpec device;
  device.peak[Precision::kFp16] = {FlopsPerSecond(312e12), ""};
  device.memory_bandwidth = {BytesPerSecond(2e12), ""};
  device.memory_efficiency = {1, ""};
  device.kernel_launch = {Seconds(2e-6), ""};
  return device;
}

GemmTiles true_tiles() {
  return {.multiprocessors = {kMultiprocessors, ""},
          .k_overhead = {150, ""},
          .sizes = {{256, 128, 0.8}, {128, 128, 0.7}, {64, 64, 0.45}}};
}

/// What a device of `true_tiles` would have measured, each time off by up to `noise`.
std::vector<GemmRow> measured(double noise) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> off(1 - noise, 1 + noise);
  std::vector<GemmRow> rows;
  for (const std::int64_t n : {768, 2304, 4096, 5120, 6912, 12288}) {
    for (const std::int64_t k : {768, 2048, 3584, 8192}) {
      for (std::int64_t m = 1024; m <= 32768; m *= 2) {
        GemmRow row{.line = 0, .gpu = "", .batch = 1, .m = m, .n = n, .k = k, .time = {}};
        KernelShape shape;
        shape.gemm_batch = 1;
        shape.gemm_m = m;
        shape.gemm_n = n;
        shape.gemm_k = k;
        row.time = tiled_gemm_time(true_tiles(), FlopsPerSecond(312e12), shape) * off(random) + Seconds(2e-6);
        rows.push_back(row);
      }
    }
  }
  return rows;
}

TEST(GemmFit, FindsTheConstantsThatMadeTheMeasurements) {
  const GemmFit fit = fit_gemm_tiles(measured(0), device(), kMultiprocessors).value();
  EXPECT_NEAR(fit.tiles.k_overhead.value, 150, 3);
  ASSERT_GE(fit.tiles.sizes.size(), 2U);
  EXPECT_EQ(fit.tiles.sizes[0].m, 256);
  EXPECT_NEAR(fit.tiles.sizes[0].efficiency, 0.8, 0.01);
  EXPECT_NEAR(fit.tiles.sizes[1].efficiency, 0.7, 0.01);
  EXPECT_LT(fit.fitted.mean_pct, 0.5);
  EXPECT_LT(fit.held_back.mean_pct, 1);
  EXPECT_GT(fit.one_share.mean_pct, 5);
  EXPECT_EQ(fit.num_rows, 6 * 4 * 6);
  EXPECT_EQ(fit.num_shapes, 24);
  EXPECT_EQ(fit.num_small, 0);
}

TEST(GemmFit, NoiseIsInTheErrorsAndNotInTheConstants) {
  const GemmFit fit = fit_gemm_tiles(measured(0.1), device(), kMultiprocessors).value();
  EXPECT_NEAR(fit.tiles.k_overhead.value, 150, 40);
  EXPECT_NEAR(fit.tiles.sizes[0].efficiency, 0.8, 0.04);
  EXPECT_GT(fit.fitted.mean_pct, 3);
  EXPECT_LT(fit.held_back.mean_pct, 7);  // 5 % is the noise alone
}

TEST(GemmFit, SmallProductsAreLeftOutAndTooFewRefused) {
  std::vector<GemmRow> rows = measured(0);
  for (GemmRow row : measured(0)) {
    row.m = 1;
    row.time = Seconds(3e-6);
    rows.push_back(row);
  }
  EXPECT_EQ(fit_gemm_tiles(rows, device(), kMultiprocessors)->num_small, 6 * 4 * 6);
  rows.resize(19);
  const auto few = fit_gemm_tiles(rows, device(), kMultiprocessors);
  ASSERT_FALSE(few);
  EXPECT_NE(few.error().message.find("19 products of 1 GFLOP or more (must be at least 20)"),
            std::string::npos);
  rows.front().precision = Precision::kFp8;
  const auto unknown = fit_gemm_tiles(rows, device(), kMultiprocessors);
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message.find("no peak for fp8"), std::string::npos);
}

}  // namespace
}  // namespace portolan
