#include "sim/activity_order.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "sim/simulator.h"
#include "tests/unit/sim/activity_graph_builder.h"

namespace portolan {
namespace {

using testing::ActivityGraphBuilder;

/// A compute and a transfer behind it.
ActivityGraph good_graph() {
  ActivityGraphBuilder graph;
  const std::int32_t compute = graph.compute(0, 1);
  graph.depend(compute, graph.transfer(graph.path({graph.link(1e9)}), 1e9, 0.5));
  return graph.build();
}

TEST(ActivityOrder, BoundsTheMakespanByTheLongestChain) {
  const Result<GraphBounds> bounds = check_and_bound(good_graph());
  ASSERT_TRUE(bounds);
  EXPECT_EQ(bounds->shortest_makespan, Seconds(2.5));
  EXPECT_EQ(bounds->largest_transfer_bytes, 1e9);
}

TEST(ActivityOrder, BoundsTheMakespanByTheBusiestLink) {
  ActivityGraphBuilder graph;
  const std::int32_t path = graph.path({graph.link(1e9), graph.link(4e9)});
  for (int i = 0; i < 10; ++i) graph.transfer(path, 2e9, 0.5);
  const Result<GraphBounds> bounds = check_and_bound(graph.build());
  ASSERT_TRUE(bounds);
  EXPECT_EQ(bounds->shortest_makespan, Seconds(20));
}

TEST(ActivityOrder, AMalformedGraphIsAnErrorThatSaysWhere) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  struct Case {
    std::function<void(ActivityGraph&)> spoil;
    const char* expected;
  };
  const std::vector<Case> cases = {
      {[](ActivityGraph& g) { g.links[0].bandwidth = BytesPerSecond(0); },
       "link 0 (link 0): a bandwidth of 0 B/s"},
      {[](ActivityGraph& g) { g.links[0].bandwidth = BytesPerSecond(kInfinity); }, "a bandwidth of inf B/s"},
      {[](ActivityGraph& g) { g.path_links[0] = 1; },
       "paths: offsets or links out of range (1 paths, 1 links)"},
      {[](ActivityGraph& g) { g.path_links[0] = -1; }, "paths: offsets or links"},
      {[](ActivityGraph& g) { g.path_offsets.clear(); }, "paths: offsets or links"},
      {[](ActivityGraph& g) { g.path_offsets[1] = 7; }, "paths: offsets or links"},
      {[](ActivityGraph& g) { g.successors[0] = 2; }, "dependencies: offsets or indices out of range"},
      {[](ActivityGraph& g) { g.successor_offsets = {0}; }, "not set, for 2 activities"},
      {[](ActivityGraph& g) { g.num_predecessors.pop_back(); }, "not set, for 2 activities"},
      {[](ActivityGraph& g) { g.num_predecessors[0] = -1; }, "activity 0: a negative number of predecessors"},
      {[](ActivityGraph& g) { g.num_predecessors[1] = 0; },
       "activity 1: more predecessors than its count says"},
      {[](ActivityGraph& g) { g.activities[0].device = 1; }, "activity 0: device 1 of 1"},
      {[](ActivityGraph& g) { g.activities[0].device = -1; }, "activity 0: device -1 of 1"},
      {[](ActivityGraph& g) { g.activities[0].seconds = Seconds(-1); }, "activity 0: -1 s of compute"},
      {[](ActivityGraph& g) { g.activities[0].kind = static_cast<Activity::Kind>(9); },
       "activity 0: unknown kind 9"},
      {[](ActivityGraph& g) { g.activities[1].path = 1; }, "activity 1: path 1 of 1"},
      {[](ActivityGraph& g) { g.activities[1].bytes = -2; }, "activity 1: a transfer of -2 bytes"},
      {[](ActivityGraph& g) { g.activities[1].bytes = std::numeric_limits<double>::quiet_NaN(); },
       "of nan bytes"},
      {[](ActivityGraph& g) { g.activities[1].latency = Seconds(kInfinity); },
       "activity 1: a latency of inf s"},
      {[](ActivityGraph& g) { g.activities[1].bytes = 1e25; },
       "the graph takes 1e+16 s or more, the limit is 1e+15 s"},
      {[](ActivityGraph& g) { g.activities[1].bytes = 1e308; }, "the graph takes 1e+299 s or more"},
  };
  for (const Case& c : cases) {
    ActivityGraph graph = good_graph();
    c.spoil(graph);
    const Result<ActivityTimes> times = simulate(graph);
    ASSERT_FALSE(times) << c.expected;
    EXPECT_EQ(times.error().kind, ErrorKind::kBadInput);
    EXPECT_NE(times.error().message.find(c.expected), std::string::npos) << times.error().message;
  }
}

TEST(ActivityOrder, ACycleIsAnErrorThatCountsWhatNeverStarts) {
  ActivityGraphBuilder graph;
  graph.compute(0, 1);
  graph.compute(1, 1);
  graph.compute(2, 1);
  graph.compute(3, 1);
  graph.depend(0, 1);
  graph.depend(1, 2);
  graph.depend(2, 1);
  graph.depend(2, 3);
  const Result<ActivityTimes> times = simulate(graph.build());
  ASSERT_FALSE(times);
  EXPECT_EQ(times.error().kind, ErrorKind::kBadInput);
  EXPECT_NE(times.error().message.find("3 of 4 activities can never start, the first is activity 1"),
            std::string::npos)
      << times.error().message;
}

TEST(ActivityOrder, APredecessorThatDoesNotExistIsADeadlock) {
  ActivityGraph graph = good_graph();
  graph.num_predecessors[1] = 2;
  const Result<ActivityTimes> times = simulate(graph);
  ASSERT_FALSE(times);
  EXPECT_NE(times.error().message.find("1 of 2 activities can never start, the first is activity 1"),
            std::string::npos)
      << times.error().message;
}

TEST(ActivityOrder, AGoodGraphRunsAfterABadOne) {
  ActivityGraph bad = good_graph();
  bad.num_predecessors[1] = 2;
  EXPECT_FALSE(simulate(bad));
  const Result<ActivityTimes> times = simulate(good_graph());
  ASSERT_TRUE(times);
  EXPECT_EQ(times->makespan, Seconds(2.5));
}

}  // namespace
}  // namespace portolan
