#include <gtest/gtest.h>

#include <cstdint>

#include "sim/simulator.h"
#include "tests/unit/sim/activity_graph_builder.h"

namespace portolan {
namespace {

constexpr std::int32_t kNumRanks = 512;
constexpr double kBandwidth = 25e9;
constexpr double kLatency = 2 * (kNumRanks - 1) * 5e-6;
/// What each link of a ring all-reduce of 1 GB carries: 2 (n - 1) / n of it.
constexpr double kRingBytes = 2.0 * (kNumRanks - 1) / kNumRanks * 1e9;

TEST(Ring, Of512RanksMatchesTheClosedForm) {
  testing::ActivityGraphBuilder graph;
  for (std::int32_t rank = 0; rank < kNumRanks; ++rank) graph.link(kBandwidth);  // out of rank
  for (std::int32_t rank = 0; rank < kNumRanks; ++rank) graph.link(kBandwidth);  // into rank
  for (std::int32_t rank = 0; rank < kNumRanks; ++rank) {
    graph.transfer(graph.path({rank, kNumRanks + (rank + 1) % kNumRanks}), kRingBytes, kLatency);
  }
  const Result<ActivityTimes> times = simulate(graph.build());
  ASSERT_TRUE(times);
  const double expected = kLatency + kRingBytes / kBandwidth;
  for (const double end_s : times->end_s) EXPECT_NEAR(end_s, expected, 1e-9 * expected);
}

TEST(Ring, ThroughOneTrunkTakesTheTrunksTime) {
  testing::ActivityGraphBuilder graph;
  for (std::int32_t rank = 0; rank < kNumRanks; ++rank) graph.link(kBandwidth);
  const std::int32_t trunk = graph.link(4 * kBandwidth);
  for (std::int32_t rank = 0; rank < kNumRanks; ++rank) {
    graph.transfer(graph.path({rank, trunk, (rank + 1) % kNumRanks}), kRingBytes, kLatency);
  }
  const Result<ActivityTimes> times = simulate(graph.build());
  ASSERT_TRUE(times);
  const double expected = kLatency + kNumRanks * kRingBytes / (4 * kBandwidth);
  for (const double end_s : times->end_s) EXPECT_NEAR(end_s, expected, 1e-9 * expected);
}

}  // namespace
}  // namespace portolan
