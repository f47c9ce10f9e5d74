#include <gtest/gtest.h>

#include <numeric>

#include "plan/cost.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

Cluster small_cluster() { return Cluster::build(small_hardware()).value(); }

double all_reduce_s(const Cluster& cluster, std::vector<DeviceIndex> members, std::int64_t bytes) {
  return uncontended_time(
             cluster, ring_collective(cluster, CollectiveKind::kAllReduce, std::move(members), Bytes(bytes)))
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
  std::vector<DeviceIndex> all(8);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_DOUBLE_EQ(all_reduce_s(small_cluster(), all, 400'000'000), 17.5e-3 + 49e-6);
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
    std::vector<DeviceIndex> members(static_cast<std::size_t>(n));
    std::iota(members.begin(), members.end(), 0);
    const FlowSet set = ring_collective(cluster, CollectiveKind::kAllReduce, members, Bytes(8000));
    double sum = 0;
    for (const Flow& flow : set.flows) {
      sum += flow.bytes;
    }
    EXPECT_NEAR(sum, n * 2.0 * (n - 1) / n * 8000, 1e-9) << n;
  }
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
