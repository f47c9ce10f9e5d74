#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "sim/simulator.h"
#include "tests/property/sim/random_activity_graph.h"
#include "tests/unit/sim/activity_graph_builder.h"

namespace portolan {
namespace {

ActivityTimes run(const ActivityGraph& graph) {
  const Result<ActivityTimes> times = simulate(graph);
  EXPECT_TRUE(times) << times.error().message;
  return times ? *times : ActivityTimes{};
}

/// The same graph in a world where everything takes `factor` times as long.
ActivityGraph slowed(ActivityGraph graph, double factor) {
  for (SharedLink& link : graph.links) link.bandwidth = link.bandwidth / factor;
  for (Activity& activity : graph.activities) {
    activity.seconds = activity.seconds * factor;
    activity.latency = activity.latency * factor;
  }
  return graph;
}

TEST(Scaling, AllTimesScaleTheResult) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const ActivityGraph graph = testing::random_activity_graph(seed);
    const ActivityTimes times = run(graph);
    // A power of two changes no digit of anything, so the result must be the same to the last bit.
    const ActivityTimes four_times = run(slowed(graph, 4));
    const ActivityTimes three_times = run(slowed(graph, 3));
    for (std::size_t i = 0; i < times.end_s.size(); ++i) {
      EXPECT_EQ(four_times.end_s[i], 4 * times.end_s[i]) << "seed " << seed;
      EXPECT_NEAR(three_times.end_s[i], 3 * times.end_s[i], 1e-11 * three_times.makespan.value)
          << "seed " << seed;
    }
  }
}

TEST(Scaling, TwiceTheBytesOverTwiceTheBandwidthTakeTheSameTime) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const ActivityGraph graph = testing::random_activity_graph(seed);
    ActivityGraph doubled = graph;
    for (SharedLink& link : doubled.links) link.bandwidth = link.bandwidth * 2;
    for (Activity& activity : doubled.activities) activity.bytes *= 2;
    EXPECT_EQ(run(doubled), run(graph)) << "seed " << seed;
  }
}

/// With dependencies a faster link can delay a transfer elsewhere, as more processors can delay a schedule;
/// transfers of one link that start together have no such freedom.
TEST(Scaling, AFasterLinkDelaysNoneOfTheTransfersThatShareIt) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    RandomStream random(seed);
    std::vector<double> sizes(1 + random.next_below(10));
    for (double& size : sizes) size = 1e9 * random.next_uniform();
    std::vector<double> slower_end_s(sizes.size(), 1e300);
    for (const double bandwidth : {1e9, 1.5e9, 2e9, 25e9, 300e9}) {
      testing::ActivityGraphBuilder graph;
      const std::int32_t path = graph.path({graph.link(bandwidth)});
      for (const double size : sizes) graph.transfer(path, size, 5e-6);
      const ActivityTimes times = run(graph.build());
      for (std::size_t i = 0; i < sizes.size(); ++i) {
        EXPECT_LE(times.end_s[i], slower_end_s[i]) << "seed " << seed;
      }
      slower_end_s = times.end_s;
    }
  }
}

TEST(Scaling, TheSameGraphTwiceGivesTheSameBits) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const ActivityGraph graph = testing::random_activity_graph(seed);
    const ActivityTimes first = run(graph);
    run(testing::random_activity_graph(seed + 1'000'000));
    EXPECT_EQ(run(graph), first) << "seed " << seed;
  }
}

}  // namespace
}  // namespace portolan
