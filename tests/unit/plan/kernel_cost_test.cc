#include <gtest/gtest.h>

#include <memory>

#include "plan/cost.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

Kernel product(std::int64_t m, std::int64_t n, std::int64_t k, Bytes bytes,
               KernelKind kind = KernelKind::kLinearForward) {
  Kernel kernel;
  kernel.kind = kind;
  kernel.shape = {.gemm_batch = 1, .gemm_m = m, .gemm_n = n, .gemm_k = k};
  kernel.flops = Flops(2.0 * static_cast<double>(m * n * k));
  kernel.bytes = bytes;
  return kernel;
}

Kernel elementwise(std::int64_t rows, std::int64_t columns, Bytes bytes) {
  Kernel kernel;
  kernel.kind = KernelKind::kGeluForward;
  kernel.shape = {.rows = rows, .columns = columns};
  kernel.bytes = bytes;
  return kernel;
}

double time_s(const Hardware& hardware, const Kernel& kernel) {
  return KernelCost(hardware, Precision::kBf16).time(kernel).value;
}

TEST(KernelCost, OfProductsIsTheRoofline) {
  const Hardware hardware = small_hardware();
  // Compute-bound: 2 x 1000^3 = 2e9 FLOPs at 100e12 x 0.5 = 40 us; its 6 MB would take 7.5 us. Launch 1 us.
  EXPECT_DOUBLE_EQ(time_s(hardware, product(1000, 1000, 1000, Bytes(6'000'000))), 41e-6);
  // Bandwidth-bound: 80 MB at 1e12 x 0.8 = 100 us.
  EXPECT_DOUBLE_EQ(time_s(hardware, product(1000, 1000, 1000, Bytes(80'000'000))), 101e-6);
  // Attention products at their own efficiency, 0.25: 80 us.
  EXPECT_DOUBLE_EQ(
      time_s(hardware, product(1000, 1000, 1000, Bytes(6'000'000), KernelKind::kAttentionContextForward)),
      81e-6);
}

TEST(KernelCost, OfFlashAttentionIsAtTheShareOfItsVersionWhereTheDeviceHasOne) {
  Hardware hardware = small_hardware();
  const Kernel flash = product(1000, 1000, 1000, Bytes(6'000'000), KernelKind::kFlashAttentionForward);
  const Kernel scores = product(1000, 1000, 1000, Bytes(6'000'000), KernelKind::kAttentionScoresForward);
  // 2e9 FLOPs at 100e12: as attention products, 0.25 of it; then at 0.4: 50 us. Launch 1 us.
  EXPECT_DOUBLE_EQ(time_s(hardware, flash), 81e-6);
  hardware.device.flash_attention = {{.version = 2, .efficiency = {0.4, ""}, .mask_overhead = {500, ""}}};
  EXPECT_DOUBLE_EQ(time_s(hardware, flash), 51e-6);
  EXPECT_DOUBLE_EQ(time_s(hardware, scores), 81e-6);
  // Measured attention products speak for a flash kernel only where it has no share of its own.
  hardware.device.gemm_points = {{GemmLayout::kAttention, 1, 1000, 1000, 1000, FlopsPerSecond(20e12)}};
  EXPECT_DOUBLE_EQ(time_s(hardware, scores), 100e-6);
  EXPECT_DOUBLE_EQ(time_s(hardware, flash), 51e-6);
  SoftwareProfile software;
  Kernel masked = flash;
  masked.shape.sequence = 2000;
  const auto time = [&] { return KernelCost(hardware, Precision::kBf16, software).time(masked).value; };
  EXPECT_DOUBLE_EQ(time(), 51e-6);
  software.flash_skips_masked.value = true;  // 500 tokens more than 2000
  EXPECT_DOUBLE_EQ(time(), 63.5e-6);
  masked.shape.window = masked.shape.gemm_n = 1000;  // 500 more than the 1000 of each query
  EXPECT_DOUBLE_EQ(time(), 76e-6);
  masked = flash;
  masked.shape.sequence = 2000;
  software.flash_version.value = 1;  // which the device says nothing of
  EXPECT_DOUBLE_EQ(time(), 100e-6);
  hardware.device.flash_attention.clear();
  EXPECT_DOUBLE_EQ(time_s(hardware, flash), 100e-6);
}

TEST(KernelCost, OfFlashAttentionForwardAndBackwardTogetherIsAtTheShareOfBoth) {
  // Two products forward, five backward: together 14e9 FLOPs at half of 100e12, 280 us, each launch 1 us.
  Hardware hardware = small_hardware();
  hardware.device.flash_attention = {{.version = 2, .efficiency = {0.5, ""}, .mask_overhead = {}}};
  Kernel forward = product(1000, 1000, 1000, Bytes(1), KernelKind::kFlashAttentionForward);
  Kernel backward = product(1000, 1000, 1000, Bytes(1), KernelKind::kFlashAttentionBackward);
  forward.flops = Flops(4e9);
  backward.flops = Flops(10e9);
  EXPECT_DOUBLE_EQ(time_s(hardware, forward), 81e-6);
  EXPECT_DOUBLE_EQ(time_s(hardware, backward), 201e-6);
  hardware.device.flash_attention.front().forward_rate.value = 1.6;
  EXPECT_NEAR(time_s(hardware, forward), 57e-6, 1e-12);  // 4 / (4 + 16) of 280 us
  EXPECT_NEAR(time_s(hardware, backward), 225e-6, 1e-12);
}

TEST(KernelCost, OfMemoryBoundKernelsIsBytesOverAchievedBandwidthAndALaunch) {
  // 8 MB at 0.8e12 B/s = 10 us.
  EXPECT_DOUBLE_EQ(time_s(small_hardware(), elementwise(1000, 1000, Bytes(8'000'000))), 11e-6);
  EXPECT_DOUBLE_EQ(time_s(small_hardware(), elementwise(1, 1, Bytes(0))), 1e-6);
}

Hardware with_gemm_points() {
  Hardware hardware = small_hardware();
  hardware.device.gemm_points = {
      {GemmLayout::kForward, 1, 1000, 1000, 1000, FlopsPerSecond(20e12)},
      {GemmLayout::kForward, 1, 2000, 1000, 1000, FlopsPerSecond(40e12)},
      {GemmLayout::kBackwardWeight, 1, 1000, 1000, 1000, FlopsPerSecond(10e12)},
  };
  return hardware;
}

TEST(KernelCost, IsExactAtMeasuredProductsOfItsLayout) {
  const Hardware hardware = with_gemm_points();
  // Measured with its launch: 2e9 / 20e12 = 100 us, 4e9 / 40e12 = 100 us, 2e9 / 10e12 = 200 us.
  EXPECT_DOUBLE_EQ(time_s(hardware, product(1000, 1000, 1000, Bytes(1))), 100e-6);
  EXPECT_DOUBLE_EQ(time_s(hardware, product(2000, 1000, 1000, Bytes(1))), 100e-6);
  EXPECT_DOUBLE_EQ(time_s(hardware, product(1000, 1000, 1000, Bytes(1), KernelKind::kLinearBackwardWeight)),
                   200e-6);
  // Nothing measured in this layout: roofline.
  EXPECT_DOUBLE_EQ(time_s(hardware, product(1000, 1000, 1000, Bytes(1), KernelKind::kLinearBackwardInput)),
                   41e-6);
}

TEST(KernelCost, BetweenMeasuredProductsIsAMeanOfTheirTimesPerFlop) {
  // Halfway in doublings both weigh alike: 1/rate = (1/20 + 1/40) / 2 per TFLOP = 1 / 26.67e12. m 1414 is
  // within 0.02 % of halfway.
  const double flops = 2.0 * 1414 * 1000 * 1000;
  EXPECT_NEAR(time_s(with_gemm_points(), product(1414, 1000, 1000, Bytes(1))), flops / (80e12 / 3),
              1e-3 * flops / 26e12);
  // Far away it tends to their mean, and stays between them.
  const double far = 2.0 * 100000.0 * 100000 * 1000;
  const double time = time_s(with_gemm_points(), product(100000, 100000, 1000, Bytes(1)));
  EXPECT_GT(time, far / 40e12);
  EXPECT_LT(time, far / 20e12);
}

TEST(KernelCost, InterpolatesMeasuredRatesInDoublingsOfSize) {
  Hardware hardware = small_hardware();
  hardware.device.kernel_rates = {{"gelu_forward", 1 << 20, BytesPerSecond(400e9)},
                                  {"gelu_forward", 1 << 10, BytesPerSecond(100e9)}};
  // At the points, whatever their order in the file; constant beyond them; linear in log2 between: 2^15 is
  // halfway, 250e9.
  EXPECT_DOUBLE_EQ(time_s(hardware, elementwise(1 << 5, 1 << 5, Bytes(1000))), 1000 / 100e9);
  EXPECT_DOUBLE_EQ(time_s(hardware, elementwise(1 << 10, 1 << 10, Bytes(1000))), 1000 / 400e9);
  EXPECT_DOUBLE_EQ(time_s(hardware, elementwise(2, 2, Bytes(1000))), 1000 / 100e9);
  EXPECT_DOUBLE_EQ(time_s(hardware, elementwise(1 << 12, 1 << 12, Bytes(1000))), 1000 / 400e9);
  EXPECT_DOUBLE_EQ(time_s(hardware, elementwise(1 << 5, 1 << 10, Bytes(1000))), 1000 / 250e9);
  // Other kernels keep the roofline.
  Kernel other = elementwise(1 << 5, 1 << 5, Bytes(8000));
  other.kind = KernelKind::kGeluBackward;
  EXPECT_DOUBLE_EQ(time_s(hardware, other), 8000 / 0.8e12 + 1e-6);
}

TEST(KernelCost, IsPure) {
  const KernelCost cost(with_gemm_points(), Precision::kBf16);
  const Kernel kernel = product(777, 1234, 555, Bytes(10));
  EXPECT_EQ(cost.time(kernel), cost.time(kernel));
}

TEST(KernelCost, SurvivesItsHardwareAndCopies) {
  // Rates are looked up in the cost's own copy of the device.
  auto hardware = std::make_unique<Hardware>(small_hardware());
  hardware->device.kernel_rates = {{"gelu_forward", 1, BytesPerSecond(100e9)}};
  auto first = std::make_unique<KernelCost>(*hardware, Precision::kBf16);
  hardware.reset();
  const KernelCost copy = *first;
  first.reset();
  EXPECT_DOUBLE_EQ(copy.time(elementwise(4, 4, Bytes(1000))).value, 1000 / 100e9);
}

}  // namespace
}  // namespace portolan
