#include "catalog/import/link_rates.h"

#include <gtest/gtest.h>

namespace portolan {
namespace {

constexpr double kGbit = 1e9 / 8;

TEST(LinkRates, InfinibandIsDataNotSignal) {
  EXPECT_DOUBLE_EQ(infiniband_rate(4, "QDR")->value, 32 * kGbit);
  EXPECT_NEAR(infiniband_rate(4, "FDR")->value, 54.5 * kGbit, 0.1 * kGbit);
  EXPECT_DOUBLE_EQ(infiniband_rate(4, "EDR")->value, 100 * kGbit);
  EXPECT_DOUBLE_EQ(infiniband_rate(2, "HDR")->value, 100 * kGbit);
  EXPECT_DOUBLE_EQ(infiniband_rate(4, "HDR")->value, 200 * kGbit);
  EXPECT_DOUBLE_EQ(infiniband_rate(4, "NDR")->value, 400 * kGbit);
  EXPECT_EQ(infiniband_rate(4, "hdr"), std::nullopt);
}

TEST(LinkRates, PcieTakesItsCodeOff) {
  EXPECT_DOUBLE_EQ(pcie_rate(5, 16)->value, 8e9);
  EXPECT_NEAR(pcie_rate(16, 16)->value, 31.508e9, 1e6);
  EXPECT_NEAR(pcie_rate(32, 16)->value, 63.015e9, 1e6);
  EXPECT_EQ(pcie_rate(7, 16), std::nullopt);
  EXPECT_EQ(pcie_rate(16, 0), std::nullopt);
}

// NVLinks of a GPU times the rate of one: half of what datasheets give for both directions.
TEST(LinkRates, NvlinkComesToTheDatasheet) {
  EXPECT_DOUBLE_EQ(nvlink_rate(60)->value * 4, 80e9);
  EXPECT_DOUBLE_EQ(nvlink_rate(70)->value * 6, 150e9);
  EXPECT_DOUBLE_EQ(nvlink_rate(80)->value * 12, 300e9);
  EXPECT_DOUBLE_EQ(nvlink_rate(90)->value * 18, 450e9);
  EXPECT_DOUBLE_EQ(nvlink_rate(100)->value * 18, 900e9);
  EXPECT_EQ(nvlink_rate(61), std::nullopt);
}

}  // namespace
}  // namespace portolan
