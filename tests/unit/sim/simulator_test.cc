#include "sim/simulator.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/sim/activity_graph_builder.h"

namespace portolan {
namespace {

using testing::ActivityGraphBuilder;

void expect_relative(double actual, double expected, double tolerance) {
  EXPECT_NEAR(actual, expected, tolerance * expected);
}

ActivityTimes run(const ActivityGraphBuilder& builder) {
  const Result<ActivityTimes> times = simulate(builder.build());
  EXPECT_TRUE(times) << times.error().message;
  return times ? *times : ActivityTimes{};
}

TEST(Simulator, OneTransferTakesLatencyPlusBytesOverBandwidth) {
  struct Case {
    double bytes, bytes_per_s, latency_s;
  };
  const std::vector<Case> cases = {
      {1e9, 25e9, 5e-6},         // a gradient bucket
      {1, 300e9, 2e-6},          // one byte
      {1234.56789, 1e9, 0},      // an effective payload is no whole number, and there may be no latency
      {1.0 / 3.0, 1e12, 1e-9},   // less than a byte
      {4e15, 50e9, 1e-3},        // 22 hours
      {50331648.125, 0.125, 7},  // a slow link
      {1e-15, 1e3, 0},           // amounts nobody sends, but whose digits must not be lost unseen
      {1e17, 1e3, 1},
  };
  for (const Case& c : cases) {
    ActivityGraphBuilder graph;
    graph.transfer(graph.path({graph.link(c.bytes_per_s)}), c.bytes, c.latency_s);
    const ActivityTimes times = run(graph);
    expect_relative(times.end_s[0], c.latency_s + c.bytes / c.bytes_per_s, 1e-12);
    EXPECT_EQ(times.makespan.value, times.end_s[0]);
  }
}

TEST(Simulator, APathIsAsFastAsItsSlowestLink) {
  ActivityGraphBuilder graph;
  graph.transfer(graph.path({graph.link(300e9), graph.link(25e9), graph.link(50e9)}), 1e9, 5e-6);
  expect_relative(run(graph).end_s[0], 0.040005, 1e-12);
}

// 10 GB at 10 GB/s: after half of it the link halves, and the other half takes a second.
TEST(Simulator, ATransferGoesOnAtTheRateThatIsLeft) {
  ActivityGraphBuilder builder;
  builder.transfer(builder.path({builder.link(10e9)}), 10e9, 0);
  ActivityGraph graph = builder.build();
  graph.changes = {{.at = Seconds(0.5), .kind = RateChange::Kind::kLink, .index = 0, .share = 0.5}};
  expect_relative(simulate(graph).value().end_s[0], 1.5, 1e-12);
  // ... and whole again after 0.25 s in which a quarter of the half went: 3.75 GB are left.
  graph.changes.push_back({.at = Seconds(0.75), .kind = RateChange::Kind::kLink, .index = 0, .share = 1});
  expect_relative(simulate(graph).value().end_s[0], 1.125, 1e-12);
}

// 1 s before the transfer starts the link halves, after half of the transfer it is whole again: 2 s and 1 s.
TEST(Simulator, ATransferThatStartsOnASlowLinkBecomesFasterWithIt) {
  ActivityGraphBuilder builder;
  const std::int32_t before = builder.compute(0, 1);
  builder.depend(before, builder.transfer(builder.path({builder.link(10e9)}), 20e9, 0));
  ActivityGraph graph = builder.build();
  graph.changes = {{.at = Seconds(0), .kind = RateChange::Kind::kLink, .index = 0, .share = 0.5},
                   {.at = Seconds(3), .kind = RateChange::Kind::kLink, .index = 0, .share = 1}};
  expect_relative(simulate(graph).value().end_s[1], 4, 1e-12);
}

// 4 s of compute, 1 s of it fixed: at half speed it takes 7 s. After 2 s at full speed half is left: 3.5 s.
TEST(Simulator, ComputeGoesOnAtTheSpeedThatIsLeft) {
  ActivityGraphBuilder builder;
  const std::int32_t first = builder.compute(0, 4);
  builder.depend(first, builder.compute(0, 2));
  builder.compute(1, 4);
  ActivityGraph graph = builder.build();
  graph.activities[0].fixed = Seconds(1);
  graph.changes = {{.at = Seconds(2), .kind = RateChange::Kind::kDevice, .index = 0, .share = 0.5}};
  const ActivityTimes times = simulate(graph).value();
  expect_relative(times.end_s[0], 5.5, 1e-12);
  expect_relative(times.end_s[1], 9.5, 1e-12);
  expect_relative(times.end_s[2], 4, 1e-12);
}

TEST(Simulator, RefusesChangesThatCannotBe) {
  ActivityGraphBuilder builder;
  builder.transfer(builder.path({builder.link(1)}), 1, 0);
  const auto error_of = [&](const std::vector<RateChange>& changes) {
    ActivityGraph graph = builder.build();
    graph.changes = changes;
    const Result<ActivityTimes> times = simulate(graph);
    return times ? std::string() : times.error().message;
  };
  using Kind = RateChange::Kind;
  EXPECT_EQ(error_of({{Seconds(0), Kind::kLink, 1, 0.5}}), "change 0: a share of 0.5 of link 1 of 1");
  EXPECT_EQ(error_of({{Seconds(0), Kind::kDevice, 0, 0.5}}), "change 0: a share of 0.5 of device 0 of 0");
  EXPECT_EQ(error_of({{Seconds(0), Kind::kLink, 0, 0}}), "change 0: a share of 0 of link 0 of 1");
  EXPECT_EQ(error_of({{Seconds(0), Kind::kLink, 0, 1.5}}), "change 0: a share of 1.5 of link 0 of 1");
  EXPECT_EQ(error_of({{Seconds(2), Kind::kLink, 0, 1}, {Seconds(1), Kind::kLink, 0, 1}}),
            "change 1: at 1 s, after one at 2 s");
  EXPECT_EQ(error_of({{Seconds(-1), Kind::kLink, 0, 1}}), "change 0: at -1 s, after one at 0 s");
}

TEST(Simulator, APathThatCrossesALinkTwiceUsesItTwice) {
  ActivityGraphBuilder graph;
  const std::int32_t link = graph.link(10e9);
  graph.transfer(graph.path({link, link}), 1e9, 0);
  expect_relative(run(graph).end_s[0], 0.2, 1e-12);
}

TEST(Simulator, UnequalLatenciesShareALinkEqually) {
  // Two transfers of 1 GB over 25 GB/s. The one with 2 us runs alone for 3 us: 75,000 bytes. Then both at
  // 12.5 GB/s: it ends at 5 us + (10^9 - 75,000) / 12.5e9 = 79.999 ms. The other has 75,000 bytes left: 3 us.
  ActivityGraphBuilder graph;
  const std::int32_t path = graph.path({graph.link(25e9)});
  graph.transfer(path, 1e9, 5e-6);
  graph.transfer(path, 1e9, 2e-6);
  const ActivityTimes times = run(graph);
  expect_relative(times.end_s[1], 0.079999, 1e-12);
  expect_relative(times.end_s[0], 0.080002, 1e-12);
}

TEST(Simulator, ATransferWithoutLatencyWeighsAsMuchAsOneWith) {
  // 1 ms alone at 1 GB/s: 1 MB of 11 MB. Then 10 MB each at 0.5 GB/s: both end at 21 ms.
  ActivityGraphBuilder graph;
  const std::int32_t path = graph.path({graph.link(1e9)});
  graph.transfer(path, 11e6, 0);
  graph.transfer(path, 10e6, 1e-3);
  const ActivityTimes times = run(graph);
  expect_relative(times.end_s[0], 0.021, 1e-12);
  expect_relative(times.end_s[1], 0.021, 1e-12);
}

TEST(Simulator, TransfersWhoseLatenciesEndTogetherShareAllTheirLinks) {
  // The second transfer ties the first link to the second link, where the third runs already: 12.5 GB/s each.
  // SimGrid's own latencies would leave the third at 25 GB/s.
  ActivityGraphBuilder graph;
  const std::int32_t first = graph.link(25e9);
  const std::int32_t second = graph.link(25e9);
  graph.transfer(graph.path({first}), 2e9, 1e-5);
  graph.transfer(graph.path({first, second}), 1e9, 1e-5);
  graph.transfer(graph.path({second}), 1e9, 0);
  const ActivityTimes times = run(graph);
  // The third moves 250,000 bytes in its 10 us alone and ends at 10 us + (1e9 - 250,000) / 12.5e9 = 79.99 ms.
  // The second is held by the first link: 10 us + 1e9 / 12.5e9. The first then has 1e9 bytes left and 25
  // GB/s.
  expect_relative(times.end_s[2], 0.07999, 1e-12);
  expect_relative(times.end_s[1], 0.08001, 1e-12);
  expect_relative(times.end_s[0], 0.12001, 1e-12);
}

/// Links A and B; one transfer over A, one over both, one over B, all starting at 0 without latency.
struct ThreeFlows {
  const char* name;
  double a_bytes_per_s, b_bytes_per_s;
  double over_a_bytes, over_both_bytes, over_b_bytes;
  double over_a_end_s, over_both_end_s, over_b_end_s;
};

TEST(Simulator, ThreeTransfersOverTwoLinksShareMaxMinFairly) {
  const std::vector<ThreeFlows> table = {
      // A gives 5 + 5, B gives 5 + 15: all end at 2 s.
      {"all end together", 10, 20, 10, 10, 30, 2, 2, 2},
      // 5, 5, 15 until 1 s, when the first ends. Then 10 + 10 on B, until 1.5 s. Then the last has 20.
      {"one after the other", 10, 20, 5, 10, 30, 1, 1.5, 2},
      // B is the bottleneck: 2 + 2, A's other has 8 and ends at 1 s. B's own ends at 2 s, then both B and A
      // are free.
      {"the second link binds", 10, 4, 8, 8, 4, 1, 3, 2},
      // Equal links: 5 each; the crossing one ends first, and each other has its link alone.
      {"the crossing one first", 10, 10, 10, 5, 20, 1.5, 1, 2.5},
  };
  for (const ThreeFlows& row : table) {
    ActivityGraphBuilder graph;
    const std::int32_t a = graph.link(row.a_bytes_per_s);
    const std::int32_t b = graph.link(row.b_bytes_per_s);
    graph.transfer(graph.path({a}), row.over_a_bytes, 0);
    graph.transfer(graph.path({a, b}), row.over_both_bytes, 0);
    graph.transfer(graph.path({b}), row.over_b_bytes, 0);
    const ActivityTimes times = run(graph);
    SCOPED_TRACE(row.name);
    expect_relative(times.end_s[0], row.over_a_end_s, 1e-12);
    expect_relative(times.end_s[1], row.over_both_end_s, 1e-12);
    expect_relative(times.end_s[2], row.over_b_end_s, 1e-12);
  }
}

TEST(Simulator, AChainOfComputesEndsAtItsSum) {
  ActivityGraphBuilder graph;
  for (std::int32_t i = 0; i < 100; ++i) {
    graph.compute(0, 0.25);
    if (i > 0) graph.depend(i - 1, i);
  }
  const ActivityTimes times = run(graph);
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(times.start_s[i], 0.25 * static_cast<double>(i));
    EXPECT_EQ(times.end_s[i], 0.25 * static_cast<double>(i + 1));
  }
}

TEST(Simulator, ADiamondWaitsForItsSlowerSide) {
  ActivityGraphBuilder graph;
  const std::int32_t top = graph.compute(0, 1);
  const std::int32_t fast = graph.compute(1, 2);
  const std::int32_t slow = graph.transfer(graph.path({graph.link(1e9)}), 3e9, 0.5);
  const std::int32_t bottom = graph.compute(0, 1);
  graph.depend(top, fast);
  graph.depend(top, slow);
  graph.depend({fast, slow}, bottom);
  const ActivityTimes times = run(graph);
  EXPECT_EQ(times.start_s, (std::vector<double>{0, 1, 1, 4.5}));
  EXPECT_EQ(times.end_s, (std::vector<double>{1, 3, 4.5, 5.5}));
  EXPECT_EQ(times.makespan, Seconds(5.5));
}

TEST(Simulator, WhatTakesNoTimeEndsWhereItStarts) {
  ActivityGraphBuilder graph;
  const std::int32_t link = graph.link(1e9);
  graph.compute(0, 1);
  graph.compute(0, 0);                       // no work
  graph.transfer(graph.path({link}), 0, 0);  // no bytes, no latency
  graph.join();
  graph.transfer(graph.path({link}), 0, 0.5);  // no bytes: latency only
  graph.transfer(graph.path({}), 1e9, 0.25);   // no links: latency only
  for (std::int32_t i = 1; i < 6; ++i) graph.depend(i - 1, i);
  const ActivityTimes times = run(graph);
  EXPECT_EQ(times.start_s, (std::vector<double>{0, 1, 1, 1, 1, 1.5}));
  EXPECT_EQ(times.end_s, (std::vector<double>{1, 1, 1, 1, 1.5, 1.75}));
}

TEST(Simulator, AMillionJoinsInARowNeedNoStack) {
  ActivityGraphBuilder graph;
  graph.compute(0, 1);
  for (std::int32_t i = 1; i <= 1'000'000; ++i) {
    graph.join();
    graph.depend(i - 1, i);
  }
  EXPECT_EQ(run(graph).end_s.back(), 1.0);
}

TEST(Simulator, NothingToDoTakesNoTime) {
  EXPECT_EQ(run(ActivityGraphBuilder()).makespan, Seconds(0));
  ActivityGraphBuilder joins_only;
  joins_only.depend(joins_only.join(), joins_only.join());
  EXPECT_EQ(run(joins_only).makespan, Seconds(0));
}

TEST(Simulator, VeryUnequalTimesKeepTheirDigits) {
  // A nanosecond of compute behind an hour of it: 1e-13 of the makespan is what an hour's clock can hold.
  ActivityGraphBuilder graph;
  const std::int32_t hour = graph.compute(0, 3600);
  graph.depend(hour, graph.compute(0, 1e-9));
  graph.transfer(graph.path({graph.link(25e9)}), 1000, 1e-6);
  const ActivityTimes times = run(graph);
  EXPECT_NEAR(times.end_s[1] - times.start_s[1], 1e-9, 3600e-13);
  EXPECT_NEAR(times.end_s[2], 1.04e-6, 3600e-13);
}

TEST(Simulator, AnotherThreadIsRefused) {
  ActivityGraphBuilder graph;
  graph.compute(0, 1);
  run(graph);
  std::string message;
  std::thread([&] {
    const Result<ActivityTimes> times = simulate(graph.build());
    if (!times) message = times.error().message;
  }).join();
  EXPECT_NE(message.find("another thread"), std::string::npos) << message;
}

}  // namespace
}  // namespace portolan
