#include "study/attention_fit.h"

#include <gtest/gtest.h>

namespace portolan {
namespace {

DeviceSpec with_one_peak() {
  DeviceSpec device;
  device.peak[Precision::kFp16] = {FlopsPerSecond(300e12), ""};
  return device;
}

/// What kernels of 0.5 of peak reach whose diagonal costs 400 tokens.
std::vector<AttentionRow> measured_kernels(std::int64_t version) {
  std::vector<AttentionRow> rows;
  for (const bool causal : {false, true}) {
    for (std::int64_t sequence = 512; sequence <= 16384; sequence *= 2) {
      const double longer = causal ? 1 + 400 / static_cast<double>(sequence) : 1;
      rows.push_back({.line = 0,
                      .gpu = "",
                      .version = version,
                      .sequence = sequence,
                      .causal = causal,
                      .rate = FlopsPerSecond(0.5 * 300e12 / longer)});
    }
  }
  return rows;
}

TEST(AttentionFit, FindsTheConstantsThatMadeTheMeasurements) {
  std::vector<AttentionRow> rows = measured_kernels(2);
  for (AttentionRow row : measured_kernels(1)) {
    row.rate = row.rate * 0.5;
    rows.push_back(row);
  }
  const auto fits = fit_flash_attention(rows, with_one_peak()).value();
  ASSERT_EQ(fits.size(), 2U);
  EXPECT_EQ(fits[0].constants.version, 1);
  EXPECT_NEAR(fits[0].constants.efficiency.value, 0.25, 0.003);
  EXPECT_EQ(fits[1].constants.version, 2);
  EXPECT_NEAR(fits[1].constants.efficiency.value, 0.5, 0.005);
  EXPECT_NEAR(fits[1].constants.mask_overhead.value, 400, 10);
  EXPECT_EQ(fits[1].num_rows, 12);
  EXPECT_LT(fits[1].fitted.mean_pct, 0.5);
  EXPECT_LT(fits[1].held_back.mean_pct, 1);
}

TEST(AttentionFit, RefusesTooLittle) {
  const auto message = [](std::vector<AttentionRow> rows) {
    const auto fits = fit_flash_attention(rows, with_one_peak());
    return fits ? "" : fits.error().message;
  };
  EXPECT_EQ(message({}), "no flash-attention kernels");
  std::vector<AttentionRow> few = measured_kernels(2);
  few.resize(7);
  EXPECT_EQ(message(few), "version 2: 7 kernels (must be at least 8)");
  std::vector<AttentionRow> no_mask = measured_kernels(1);
  for (AttentionRow& row : no_mask) {
    row.causal = false;
  }
  EXPECT_EQ(message(no_mask), "version 1: no causal kernels");
  EXPECT_EQ(fit_flash_attention(measured_kernels(2), DeviceSpec{}).error().message,
            "the hardware file has no peak for bf16 or fp16");
}

}  // namespace
}  // namespace portolan
