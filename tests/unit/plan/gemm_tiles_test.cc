#include "plan/gemm_tiles.h"

#include <gtest/gtest.h>

#include <cmath>

#include "plan/cost.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

/// 10 multiprocessors of 1 TFLOP/s each, which tiles of 100 x 100 reach.
GemmTiles ten_multiprocessors() {
  return {.multiprocessors = {10, ""}, .k_overhead = {50, ""}, .sizes = {{100, 100, 1.0}}};
}
constexpr FlopsPerSecond kPeak(10e12);

KernelShape product(std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t k) {
  KernelShape shape;
  shape.gemm_batch = batch;
  shape.gemm_m = m;
  shape.gemm_n = n;
  shape.gemm_k = k;
  return shape;
}

/// Of a wave of 100 x 100 tiles: 2 x 100 x 100 x (k + 50) FLOPs on a multiprocessor of 1 TFLOP/s.
double wave_s(double k) { return 2.0 * 100 * 100 * (k + 50) / 1e12; }

TEST(GemmTiles, TilesGoInWaves) {
  struct Case {
    std::int64_t batch, m, n;
    double waves;
  };
  for (const Case& c : {Case{1, 100, 100, 1}, Case{1, 1, 1, 1}, Case{1, 1000, 100, 1}, Case{1, 1001, 100, 2},
                        Case{1, 500, 200, 1}, Case{1, 501, 200, 2}, Case{10, 100, 100, 1},
                        Case{11, 100, 100, 2}, Case{1, 1000, 1000, 10}}) {
    EXPECT_NEAR(tiled_gemm_time(ten_multiprocessors(), kPeak, product(c.batch, c.m, c.n, 1000)).value,
                c.waves * wave_s(1000), 1e-18)
        << c.batch << " x " << c.m << " x " << c.n;
  }
}

TEST(GemmTiles, TheFastestSizeIsTakenEitherWayRound) {
  GemmTiles tiles = ten_multiprocessors();
  tiles.sizes.push_back({300, 100, 1.0});
  // A wave of ten tiles of 300 x 100, or three waves of tiles of a third of that.
  const Seconds wide = tiled_gemm_time(tiles, kPeak, product(1, 300, 1000, 1000));
  const Seconds tall = tiled_gemm_time(tiles, kPeak, product(1, 1000, 300, 1000));
  EXPECT_EQ(wide, tall);
  EXPECT_NEAR(wide.value, 3 * wave_s(1000), 1e-18);
  // Where the larger tile is more efficient it wins, as long as there are tiles enough.
  tiles.sizes[0].efficiency = 0.5;
  EXPECT_NEAR(tiled_gemm_time(tiles, kPeak, product(1, 3000, 1000, 1000)).value, 10 * 3 * wave_s(1000),
              1e-18);
  EXPECT_NEAR(tiled_gemm_time(tiles, kPeak, product(1, 100, 100, 1000)).value, 2 * wave_s(1000), 1e-18);
}

/// Larger products never take less, and none is faster than its FLOPs at the best tile's share of peak.
TEST(GemmTiles, TimeIsMonotoneAndBounded) {
  GemmTiles tiles = ten_multiprocessors();
  tiles.sizes = {{100, 100, 0.7}, {200, 100, 0.8}, {50, 50, 0.4}};
  for (std::int64_t m = 1; m <= 1000; m += 37) {
    for (std::int64_t n = 1; n <= 1000; n += 41) {
      for (const std::int64_t k : {1, 64, 3000}) {
        const Seconds time = tiled_gemm_time(tiles, kPeak, product(1, m, n, k));
        EXPECT_GE(tiled_gemm_time(tiles, kPeak, product(1, m + 1, n, k)), time);
        EXPECT_GE(tiled_gemm_time(tiles, kPeak, product(1, m, n + 1, k)), time);
        EXPECT_GT(tiled_gemm_time(tiles, kPeak, product(1, m, n, k + 1)), time);
        EXPECT_GE(tiled_gemm_time(tiles, kPeak, product(2, m, n, k)), time);
        const double flops = 2.0 * static_cast<double>(m * n * k);
        EXPECT_GE(time.value * (1 + 1e-12), flops / (0.8 * kPeak.value));
      }
    }
  }
}

/// The cost of a kernel uses them where no product of the layout was measured, beside roofline and launch.
TEST(GemmTiles, PriceProductsThatWereNotMeasured) {
  Hardware hardware = small_hardware();
  hardware.device.gemm_tiles = ten_multiprocessors();
  hardware.device.kernel_launch.value = Seconds(3e-6);
  Kernel kernel;
  kernel.kind = KernelKind::kLinearForward;
  kernel.shape = product(1, 1000, 100, 1000);
  kernel.flops = Flops(2e8);
  const FlopsPerSecond peak = hardware.device.peak.at(Precision::kBf16).value;
  const auto time = [&] { return KernelCost(hardware, Precision::kBf16).time(kernel).value; };
  const double tiled = tiled_gemm_time(*hardware.device.gemm_tiles, peak, kernel.shape).value;
  EXPECT_NEAR(time(), tiled + 3e-6, 1e-15);
  hardware.device.gemm_tiles->weight_gradient_rate.value = 0.5;
  EXPECT_NEAR(time(), tiled + 3e-6, 1e-15);
  kernel.kind = KernelKind::kLinearBackwardWeight;
  EXPECT_NEAR(time(), 2 * tiled + 3e-6, 1e-15);
  kernel.kind = KernelKind::kLinearForward;
  kernel.bytes = Bytes(std::int64_t{1} << 40);
  EXPECT_GT(time(), 2 * tiled);
  kernel.bytes = Bytes(0);
  hardware.device.gemm_points = {{GemmLayout::kForward, 1, 1000, 100, 1000, FlopsPerSecond(1e9)}};
  EXPECT_NEAR(time(), 0.2, 1e-9);
}

}  // namespace
}  // namespace portolan
