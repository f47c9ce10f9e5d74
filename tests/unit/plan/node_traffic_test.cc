#include "plan/node_traffic.h"

#include <gtest/gtest.h>

#include "plan/lower.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

std::vector<TrafficClass> traffic_of(const Scenario& scenario, const Strategy& strategy) {
  return node_traffic(lower(scenario, strategy), Cluster::build(scenario.hardware).value());
}

// Eight ranks on two nodes of four sum gradients round a ring: it goes from one node to the other and back,
// with 2 x 7/8 of the vector each way, a quarter of it over each of four cards.
TEST(NodeTraffic, OfARingIsItsHopsBetweenNodes) {
  const Scenario scenario = tiny_scenario(8);
  const Strategy strategy = sample_strategy(scenario, {.data = 8});
  const Program program = lower(scenario, strategy);
  double vector_bytes = 0;
  for (const Template& t : program.stages[0].templates) {
    for (const Op& op : t.ops) {
      vector_bytes += op.kind == OpKind::kCollective ? static_cast<double>(op.bytes.value) : 0;
    }
  }
  ASSERT_GT(vector_bytes, 0);
  const std::vector<TrafficClass> classes = traffic_of(scenario, strategy);
  ASSERT_EQ(classes.size(), 1u);
  ASSERT_EQ(classes[0].flows.size(), 8u);
  for (const Flow& flow : classes[0].flows) {
    EXPECT_NE(flow.source / 4, flow.destination / 4);
    EXPECT_DOUBLE_EQ(flow.bytes, 2 * 7 * vector_bytes / 8 / 4) << flow.source;
  }
}

// Two stages of four ranks, one a node: each rank sends its microbatches on and gets their gradients back.
// 16 sequences of 16 tokens of 32 fp32 numbers in all, shared out among the two replicas of tp 2.
TEST(NodeTraffic, OfStagesIsActivationsAndTheirGradients) {
  const Scenario scenario = tiny_scenario(8);
  const std::vector<TrafficClass> classes =
      traffic_of(scenario, sample_strategy(scenario, {.tensor = 2, .pipeline = 2, .data = 2}));
  const double of_replica = 8 * 16 * 32 * 4;
  ASSERT_FALSE(classes.empty());
  const std::vector<Flow>& sends = classes[0].flows;
  ASSERT_EQ(sends.size(), 8u);
  for (const Flow& flow : sends) {
    EXPECT_EQ(std::abs(flow.source - flow.destination), 4);
    EXPECT_EQ(flow.bytes, of_replica) << flow.source;
  }
}

TEST(NodeTraffic, IsNoneWithinANode) {
  const Scenario scenario = tiny_scenario(4);
  EXPECT_TRUE(traffic_of(scenario, sample_strategy(scenario, {.tensor = 2, .data = 2})).empty());
}

}  // namespace
}  // namespace portolan
