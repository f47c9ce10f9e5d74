#include "base/random.h"

#include <gtest/gtest.h>

#include <cmath>

namespace portolan {
namespace {

// First outputs of SplitMix64 from seed 0, as published with the generator.
TEST(RandomStream, IsSplitMix64) {
  RandomStream stream(0);
  EXPECT_EQ(stream.next_bits(), 0xe220a8397b1dcdafULL);
  EXPECT_EQ(stream.next_bits(), 0x6e789e6aa1b965f4ULL);
}

TEST(RandomStream, NamesGiveStreamsOfTheirOwn) {
  EXPECT_EQ(RandomStream(7, "layer 0").next_bits(), RandomStream(7, "layer 0").next_bits());
  EXPECT_NE(RandomStream(7, "layer 0").next_bits(), RandomStream(7, "layer 1").next_bits());
  EXPECT_NE(RandomStream(7, "layer 0").next_bits(), RandomStream(8, "layer 0").next_bits());
}

// Mean 0 within 5 / sqrt(n), variance 1 within 5 sqrt(2/n).
TEST(RandomStream, NormalHasItsMoments) {
  RandomStream stream(42);
  constexpr int kCount = 100'000;
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = stream.next_normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / kCount, 0, 5 / std::sqrt(kCount));
  EXPECT_NEAR(squares / kCount, 1, 5 * std::sqrt(2.0 / kCount));
}

TEST(RandomStream, BelowStaysBelowAndReachesAll) {
  RandomStream stream(3);
  bool seen[5] = {};
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t value = stream.next_below(5);
    ASSERT_LT(value, 5U);
    seen[value] = true;
  }
  for (bool s : seen) {
    EXPECT_TRUE(s);
  }
}

}  // namespace
}  // namespace portolan
