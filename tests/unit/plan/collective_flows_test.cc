#include "plan/collectives/collective_flows.h"

#include <gtest/gtest.h>

#include <numeric>

#include "sample_scenarios.h"

namespace portolan {
namespace {

Cluster small_cluster() { return Cluster::build(small_hardware()).value(); }

std::vector<DeviceIndex> first_members(std::int32_t count) {
  std::vector<DeviceIndex> members(static_cast<std::size_t>(count));
  std::iota(members.begin(), members.end(), 0);
  return members;
}

FlowSet ring_collective(const Cluster& cluster, CollectiveKind kind, std::vector<DeviceIndex> members,
                        Bytes payload) {
  return collective_flows(cluster, {.kind = kind, .members = std::move(members), .payload = payload});
}

double all_reduce_s(const Cluster& cluster, std::vector<DeviceIndex> members, std::int64_t bytes) {
  return uncontended_time(
             cluster, ring_collective(cluster, CollectiveKind::kAllReduce, std::move(members), Bytes(bytes)))
      .value;
}

double time_s(const Cluster& cluster, CollectiveKind kind, CollectiveAlgorithm algorithm,
              std::vector<DeviceIndex> members, std::int64_t bytes) {
  return uncontended_time(cluster, collective_flows(cluster, {.kind = kind,
                                                              .algorithm = algorithm,
                                                              .members = std::move(members),
                                                              .payload = Bytes(bytes)}))
      .value;
}

TEST(RingCollective, WithinANode) {
  // 4 GPUs on NVLink of 100 GB/s, 400 MB: each link carries 2 x 3/4 x 400 MB = 600 MB, 6 ms. 2 x 3 steps of 3
  // us.
  EXPECT_DOUBLE_EQ(all_reduce_s(small_cluster(), {0, 1, 2, 3}, 400'000'000), 6e-3 + 18e-6);
  // 2 GPUs: 2 x 1/2 x 400 MB = 400 MB, 4 ms; 2 steps.
  EXPECT_DOUBLE_EQ(all_reduce_s(small_cluster(), {2, 1}, 400'000'000), 4e-3 + 6e-6);
}

TEST(RingCollective, ScatterAndGatherAreHalfAnAllReduce) {
  const Cluster cluster = small_cluster();
  for (const CollectiveKind kind : {CollectiveKind::kReduceScatter, CollectiveKind::kAllGather}) {
    EXPECT_DOUBLE_EQ(
        uncontended_time(cluster, ring_collective(cluster, kind, {0, 1, 2, 3}, Bytes(400'000'000))).value,
        3e-3 + 9e-6);
  }
}

TEST(RingCollective, OfOneMemberOrNoneIsFree) {
  const Cluster cluster = small_cluster();
  EXPECT_EQ(ring_collective(cluster, CollectiveKind::kAllReduce, {3}, Bytes(1000)), FlowSet{});
  EXPECT_EQ(ring_collective(cluster, CollectiveKind::kAllReduce, {}, Bytes(1000)), FlowSet{});
}

TEST(RingCollective, OverOneRailOfTwoNodes) {
  // Devices 1 and 5 share a rail: cards of 10 GB/s, 2 x 1/2 x 100 MB each way, 10 ms. 2 steps of 5 us.
  EXPECT_DOUBLE_EQ(all_reduce_s(small_cluster(), {1, 5}, 100'000'000), 10e-3 + 10e-6);
}

TEST(RingCollective, OverAllRailsOfTwoNodesUsesEveryCard) {
  // 8 ranks: an edge carries 2 x 7/8 x 400 MB = 700 MB. Between nodes it is spread over 4 cards: 175 MB at 10
  // GB/s = 17.5 ms; within a node 700 MB at 100 GB/s = 7 ms. A turn has 6 hops within nodes and 2 between: 28
  // us; 2 x 7/8 turns: 49 us.
  EXPECT_DOUBLE_EQ(all_reduce_s(small_cluster(), first_members(8), 400'000'000), 17.5e-3 + 49e-6);
}

TEST(RingCollective, OverTwoRailsUsesTwoCards) {
  // 4 ranks, 2 a node: an edge carries 2 x 3/4 x 400 MB = 600 MB, 300 MB a card: 30 ms. Turn 2 x 3 + 2 x 5 us
  // = 16 us, 1.5 turns.
  EXPECT_DOUBLE_EQ(all_reduce_s(small_cluster(), {0, 1, 4, 5}, 400'000'000), 30e-3 + 24e-6);
}

TEST(RingCollective, CarriesTheVolumeOfARing) {
  // Patarasuk and Yuan 2009: every rank sends 2 (n - 1) / n of the vector. Between nodes the rings' parts add
  // up to it.
  const Cluster cluster = small_cluster();
  for (std::int32_t n = 2; n <= 8; ++n) {
    const FlowSet set = ring_collective(cluster, CollectiveKind::kAllReduce, first_members(n), Bytes(8000));
    double sum = 0;
    for (const Flow& flow : set.flows) {
      sum += flow.bytes;
    }
    EXPECT_NEAR(sum, n * 2.0 * (n - 1) / n * 8000, 1e-9) << n;
  }
}

TEST(RingCollective, BroadcastPassesEachHopOnce) {
  // 3 hops within the node: 400 MB over 100 GB/s, 4 ms. Between two nodes 100 MB a card of 10 GB/s, 10 ms,
  // after 3 hops in each node and one between.
  const auto broadcast_s = [](std::vector<DeviceIndex> members) {
    return time_s(small_cluster(), CollectiveKind::kBroadcast, CollectiveAlgorithm::kRing, std::move(members),
                  400'000'000);
  };
  EXPECT_DOUBLE_EQ(broadcast_s(first_members(4)), 4e-3 + 9e-6);
  EXPECT_DOUBLE_EQ(broadcast_s(first_members(8)), 10e-3 + 6 * 3e-6 + 5e-6);
}

TEST(HierarchicalCollective, SpareSlowCardsWhatTheRingSendsOverThem) {
  // 2 nodes of 4 GPUs, 400 MB. Each card: 2 x 1/2 x 100 MB at 10 GB/s = 10 ms, where the ring takes 17.5 ms;
  // NVLink: 2 x 3/4 x 400 MB at 100 GB/s = 6 ms. 2 x 3 steps of 3 us in the node, 2 x 1 of 5 us between.
  const Cluster cluster = small_cluster();
  const auto hierarchical_s = [&](CollectiveKind kind) {
    return time_s(cluster, kind, CollectiveAlgorithm::kHierarchical, first_members(8), 400'000'000);
  };
  EXPECT_DOUBLE_EQ(hierarchical_s(CollectiveKind::kAllReduce), 10e-3 + 28e-6);
  EXPECT_DOUBLE_EQ(hierarchical_s(CollectiveKind::kReduceScatter), 5e-3 + 14e-6);
  EXPECT_DOUBLE_EQ(hierarchical_s(CollectiveKind::kAllGather), 5e-3 + 14e-6);
  EXPECT_LT(hierarchical_s(CollectiveKind::kAllReduce), all_reduce_s(cluster, first_members(8), 400'000'000));
}

TEST(TreeCollective, OverTwoNodes) {
  // Each node is the root of one tree and the leaf of the other: 2 x 200 MB each way over 4 cards of 10 GB/s,
  // 10 ms. Up and down: 3 hops in the node, 1 between.
  EXPECT_DOUBLE_EQ(time_s(small_cluster(), CollectiveKind::kAllReduce, CollectiveAlgorithm::kTree,
                          first_members(8), 400'000'000),
                   10e-3 + 2 * (3 * 3e-6 + 5e-6));
}

TEST(TreeCollective, ScatterAndGatherHaveNoTree) {
  const Cluster cluster = small_cluster();
  for (const CollectiveKind kind : {CollectiveKind::kReduceScatter, CollectiveKind::kAllGather}) {
    EXPECT_EQ(time_s(cluster, kind, CollectiveAlgorithm::kTree, first_members(8), 1000),
              time_s(cluster, kind, CollectiveAlgorithm::kRing, first_members(8), 1000));
  }
}

TEST(AllToAll, WithinANodeAndBetweenTwo) {
  const Cluster cluster = small_cluster();
  // 400 MB in 4 shares of 100 MB: three of them leave over NVLink, 3 ms. Three rounds.
  EXPECT_DOUBLE_EQ(
      time_s(cluster, CollectiveKind::kAllToAll, CollectiveAlgorithm::kRing, first_members(4), 400'000'000),
      3e-3 + 9e-6);
  // 8 shares of 50 MB, four of them to the other node: 200 MB a card, 20 ms. NVLink up: 3 within the node, 3
  // to the cards of the other rails, 300 MB, 3 ms. 3 rounds within, 4 between.
  EXPECT_DOUBLE_EQ(
      time_s(cluster, CollectiveKind::kAllToAll, CollectiveAlgorithm::kRing, first_members(8), 400'000'000),
      20e-3 + 3 * 3e-6 + 4 * 5e-6);
  // In two steps the cards carry the same, in one round.
  EXPECT_DOUBLE_EQ(time_s(cluster, CollectiveKind::kAllToAll, CollectiveAlgorithm::kHierarchical,
                          first_members(8), 400'000'000),
                   20e-3 + 3 * 3e-6 + 5e-6);
}

TEST(AllToAll, HasOneFlowForEachMemberAndKindOfPath) {
  const Cluster cluster = small_cluster();
  // Within the node, on the own rail, on another rail: 50 MB x (3, 1, 3).
  const FlowSet set =
      ring_collective(cluster, CollectiveKind::kAllToAll, first_members(8), Bytes(400'000'000));
  EXPECT_EQ(set.flows.size(), 3 * 8U);
  double sum = 0;
  for (const Flow& flow : set.flows) {
    sum += flow.bytes;
  }
  EXPECT_NEAR(sum, 8 * 7 * 50e6, 1);
}

TEST(Shift, IsASendToTheNextInOneStep) {
  const Cluster cluster = small_cluster();
  const auto shift_s = [&](std::vector<DeviceIndex> members) {
    return time_s(cluster, CollectiveKind::kShift, CollectiveAlgorithm::kRing, std::move(members),
                  100'000'000);
  };
  EXPECT_DOUBLE_EQ(shift_s({0, 1, 2}), 1e-3 + 3e-6);
  EXPECT_DOUBLE_EQ(shift_s({1, 5}), 10e-3 + 5e-6);
  EXPECT_EQ(ring_collective(cluster, CollectiveKind::kShift, {5, 1}, Bytes(10)).flows,
            (std::vector<Flow>{{1, 5, 10}, {5, 1, 10}}));
}

Hardware with_points() {
  Hardware hardware = small_hardware();
  hardware.collective_points = {
      {"all_reduce", 4, Bytes(4096), Seconds(40e-6)},   {"all_reduce", 4, Bytes(1024), Seconds(10e-6)},
      {"all_reduce", 2, Bytes(1024), Seconds(7e-6)},    {"send_receive", 2, Bytes(1000), Seconds(3e-6)},
      {"send_receive", 2, Bytes(4000), Seconds(12e-6)},
  };
  return hardware;
}

TEST(MeasuredCollective, IsExactAtItsPointsAndLogarithmicBetween) {
  const Cluster cluster = Cluster::build(with_points()).value();
  const std::vector<DeviceIndex> four{0, 1, 2, 3};
  EXPECT_DOUBLE_EQ(all_reduce_s(cluster, four, 1024), 10e-6);
  EXPECT_DOUBLE_EQ(all_reduce_s(cluster, four, 4096), 40e-6);
  EXPECT_DOUBLE_EQ(all_reduce_s(cluster, four, 2048), 20e-6);    // halfway in doublings: sqrt(10 x 40)
  EXPECT_DOUBLE_EQ(all_reduce_s(cluster, four, 1), 10e-6);       // constant below
  EXPECT_DOUBLE_EQ(all_reduce_s(cluster, four, 40960), 400e-6);  // in proportion above
  EXPECT_DOUBLE_EQ(all_reduce_s(cluster, {0, 1}, 1024), 7e-6);
  // Three ranks: 2 and 4 are as near; the first in the file counts.
  EXPECT_DOUBLE_EQ(all_reduce_s(cluster, {0, 1, 2}, 1024), 10e-6);
}

TEST(MeasuredCollective, OnlyWhereThatCollectiveWasMeasured) {
  const Cluster cluster = Cluster::build(with_points()).value();
  const FlowSet gather =
      ring_collective(cluster, CollectiveKind::kAllGather, {0, 1, 2, 3}, Bytes(400'000'000));
  EXPECT_DOUBLE_EQ(uncontended_time(cluster, gather).value, 3e-3 + 9e-6);
}

TEST(MeasuredCollective, TakesItsTimeWhateverTheAlgorithm) {
  const Cluster cluster = Cluster::build(with_points()).value();
  for (const auto algorithm :
       {CollectiveAlgorithm::kRing, CollectiveAlgorithm::kTree, CollectiveAlgorithm::kHierarchical}) {
    EXPECT_DOUBLE_EQ(time_s(cluster, CollectiveKind::kAllReduce, algorithm, first_members(4), 2048), 20e-6);
  }
  // A shift is as long as a send.
  EXPECT_DOUBLE_EQ(
      time_s(cluster, CollectiveKind::kShift, CollectiveAlgorithm::kRing, first_members(4), 1000), 3e-6);
}

TEST(PointToPoint, IsBytesOverTheNarrowestLinkAndTheRoutesLatency) {
  const Cluster cluster = small_cluster();
  const auto time_s = [&](DeviceIndex from, DeviceIndex to) {
    return uncontended_time(cluster, point_to_point(cluster, from, to, Bytes(1'000'000))).value;
  };
  EXPECT_DOUBLE_EQ(time_s(0, 1), 10e-6 + 2e-6);   // NVLink up and down, 1 us each
  EXPECT_DOUBLE_EQ(time_s(1, 5), 100e-6 + 4e-6);  // cards of one rail, 2 us each
  EXPECT_DOUBLE_EQ(time_s(0, 5), 100e-6 + 6e-6);  // over NVLink to the rail of the destination first
  EXPECT_EQ(point_to_point(cluster, 3, 3, Bytes(7)), FlowSet{});
}

TEST(PointToPoint, TakesTheMeasuredTimeWhereThereIsOne) {
  const Cluster cluster = Cluster::build(with_points()).value();
  EXPECT_DOUBLE_EQ(uncontended_time(cluster, point_to_point(cluster, 0, 5, Bytes(1000))).value, 3e-6);
  EXPECT_DOUBLE_EQ(uncontended_time(cluster, point_to_point(cluster, 0, 5, Bytes(2000))).value, 6e-6);
}

TEST(UncontendedTime, IsTheBusiestLinks) {
  const Cluster cluster = small_cluster();
  // Both payloads leave device 0: 2 MB over its 100 GB/s.
  EXPECT_DOUBLE_EQ(
      uncontended_time(cluster, {.flows = {{0, 1, 1e6}, {0, 2, 1e6}}, .latency = Seconds(1e-6)}).value,
      21e-6);
  EXPECT_DOUBLE_EQ(uncontended_time(cluster, {.flows = {{0, 1, 1e6}, {2, 3, 1e6}}, .latency = {}}).value,
                   10e-6);
  EXPECT_EQ(uncontended_time(cluster, {}), Seconds(0));
}

}  // namespace
}  // namespace portolan
