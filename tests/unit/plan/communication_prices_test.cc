#include "plan/communication_prices.h"

#include <gtest/gtest.h>

#include "plan/group_flows.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

constexpr AxisSet kReplicas = {Axis::kExpert, Axis::kData};

/// 8 GPUs on two nodes, cut along up to three axes in several orders: some lay out the groups of an op alike.
std::vector<Placement> placements() {
  std::vector<Placement> list;
  for (const std::array<std::int32_t, kNumAxes>& degrees :
       std::vector<std::array<std::int32_t, kNumAxes>>{{2, 1, 1, 2, 2},
                                                       {1, 2, 2, 2, 1},
                                                       {2, 1, 2, 1, 2},
                                                       {4, 1, 1, 1, 2},
                                                       {1, 1, 1, 4, 2},
                                                       {1, 1, 1, 2, 4},
                                                       {1, 1, 1, 8, 1}}) {
    list.push_back({degrees, {Axis::kTensor, Axis::kContext, Axis::kExpert, Axis::kData, Axis::kPipeline}});
    list.push_back({degrees, {Axis::kTensor, Axis::kContext, Axis::kExpert, Axis::kPipeline, Axis::kData}});
    list.push_back({degrees, {Axis::kData, Axis::kContext, Axis::kExpert, Axis::kPipeline, Axis::kTensor}});
  }
  return list;
}

std::vector<Op> ops(const Placement& placement) {
  std::vector<Op> list;
  Op collective;
  collective.kind = OpKind::kCollective;
  for (const CollectiveKind kind : {CollectiveKind::kAllReduce, CollectiveKind::kReduceScatter,
                                    CollectiveKind::kAllGather, CollectiveKind::kAllToAll}) {
    for (const AxisSet axes : {AxisSet{Axis::kTensor}, kReplicas}) {
      collective.collective = kind;
      collective.axes = axes;
      list.push_back(collective);
    }
  }
  for (const GroupKind group : {GroupKind::kBlock, GroupKind::kStride}) {
    for (std::int32_t size = 1; size <= placement.num_along(kReplicas); size *= 2) {
      collective.group = group;
      collective.group_size = size;
      list.push_back(collective);
    }
  }
  if (placement.degree(Axis::kPipeline) > 1) {
    Op send;
    send.kind = OpKind::kSend;
    send.axes = {Axis::kPipeline};
    send.peer_offset = 1;
    list.push_back(send);
  }
  return list;
}

TEST(CommunicationPrices, AreTheTimesOfTheFlowsFirstAskedForAndRemembered) {
  for (const bool measured : {false, true}) {
    Hardware hardware = small_hardware();
    if (measured) {
      hardware.collective_points = {{"all_reduce", 4, Bytes(4096), Seconds(40e-6)},
                                    {"all_reduce", 4, Bytes(1024), Seconds(10e-6)},
                                    {"all_gather", 4, Bytes(1024), Seconds(7e-6)}};
    }
    const Cluster cluster = Cluster::build(hardware).value();
    CommunicationPrices prices(cluster);
    for (int round = 0; round < 2; ++round) {
      for (const Placement& placement : placements()) {
        const GroupFlows flows(placement, cluster);
        for (Op op : ops(placement)) {
          for (const std::int64_t bytes : {1000, 3'000'000}) {
            op.bytes = Bytes(bytes * (round + 1));
            const double expected = flows.time_of(op, 0).value;
            EXPECT_NEAR(prices.time(placement, op, 0).value, expected, 1e-12 * expected)
                << collective_name(op.collective) << " " << static_cast<int>(op.group) << " "
                << op.group_size;
          }
        }
        const std::vector<CommunicationLine>& sends = prices.sends(placement);
        ASSERT_EQ(std::ssize(sends), placement.degree(Axis::kPipeline) - 1);
        Op send;
        send.kind = OpKind::kSend;
        send.axes = {Axis::kPipeline};
        send.peer_offset = 1;
        send.bytes = Bytes(3'000'000);
        for (std::size_t stage = 0; stage < sends.size(); ++stage) {
          const double expected = flows.time_of(send, static_cast<std::int32_t>(stage)).value;
          EXPECT_NEAR(sends[stage].of(send.bytes).value, expected, 1e-12 * expected);
        }
      }
    }
  }
}

}  // namespace
}  // namespace portolan
