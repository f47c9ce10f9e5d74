#include "tests/property/sim/max_min_oracle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "sim/activity_order.h"
#include "sim/simulator.h"
#include "tests/property/sim/random_activity_graph.h"

namespace portolan {
namespace {

void expect_agreement(const ActivityGraph& graph, std::uint64_t seed) {
  const Result<ActivityTimes> simulated = simulate(graph);
  ASSERT_TRUE(simulated) << "seed " << seed << ": " << simulated.error().message;
  const ActivityTimes expected = testing::max_min_oracle(graph);
  const double tolerance = 1e-9 * expected.makespan.value;
  for (std::size_t i = 0; i < graph.activities.size(); ++i) {
    ASSERT_NEAR(simulated->start_s[i], expected.start_s[i], tolerance)
        << "seed " << seed << ", activity " << i;
    ASSERT_NEAR(simulated->end_s[i], expected.end_s[i], tolerance) << "seed " << seed << ", activity " << i;
  }
}

TEST(MaxMinOracle, AgreesWithTheSimulatorOnRandomGraphs) {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    expect_agreement(testing::random_activity_graph(seed), seed);
    if (HasFatalFailure()) {
      return;
    }
  }
}

TEST(MaxMinOracle, AgreesWithTheSimulatorWhereRatesChange) {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    ActivityGraph graph = testing::random_activity_graph(seed);
    testing::add_random_changes(graph, seed, simulate(graph).value().makespan);
    expect_agreement(graph, seed);
    if (HasFatalFailure()) {
      return;
    }
  }
}

TEST(MaxMinOracle, ChangesThatChangeNothingKeepTheTimes) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    ActivityGraph graph = testing::random_activity_graph(seed);
    const ActivityTimes times = simulate(graph).value();
    for (const double at : {0.0, 0.3, 2.0}) {
      ActivityGraph changed = graph;
      changed.changes = {
          {.at = times.makespan * at, .kind = RateChange::Kind::kLink, .index = 0, .share = 1}};
      if (at > 1) {
        changed.changes.front().share = 0.5;
      }
      const ActivityTimes after = simulate(changed).value();
      ASSERT_NEAR(after.makespan.value, times.makespan.value, 1e-12 * times.makespan.value)
          << "seed " << seed;
    }
  }
}

TEST(MaxMinOracle, NoRunIsShorterThanItsBound) {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    const ActivityGraph graph = testing::random_activity_graph(seed);
    const Result<GraphBounds> bounds = check_and_bound(graph);
    const Result<ActivityTimes> times = simulate(graph);
    ASSERT_TRUE(bounds && times) << "seed " << seed;
    EXPECT_GE(times->makespan.value, bounds->shortest_makespan.value * (1 - 1e-12)) << "seed " << seed;
  }
}

TEST(MaxMinOracle, NothingStartsBeforeItsPredecessorsEnd) {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const ActivityGraph graph = testing::random_activity_graph(seed);
    const Result<ActivityTimes> times = simulate(graph);
    ASSERT_TRUE(times);
    for (std::size_t i = 0; i < graph.activities.size(); ++i) {
      EXPECT_LE(times->start_s[i], times->end_s[i]);
      for (const std::int32_t successor : graph.successors_of(static_cast<std::int32_t>(i))) {
        EXPECT_LE(times->end_s[i], times->start_s[static_cast<std::size_t>(successor)]) << "seed " << seed;
      }
    }
  }
}

}  // namespace
}  // namespace portolan
