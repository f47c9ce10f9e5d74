#include <gtest/gtest.h>

#include "plan/job_cluster.h"
#include "plan/legality.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

TEST(PlacementRules, NodesOfAnOrderAreTheJobsEachOnce) {
  Scenario scenario = tiny_scenario(8);
  scenario.hardware.num_nodes = 6;
  scenario.hardware.nodes_per_pod = 6;
  scenario.job_nodes = {1, 3, 5};
  Strategy strategy = sample_strategy(scenario, {.data = 8});
  const struct {
    NodeList order;
    const char* message;
  } kRows[] = {
      {{5, 1}, ""},
      {{}, ""},
      {{5, 6}, "node_order: there is no node 6 (allowed: 0 to 5)"},
      {{5, 5}, "node_order: node 5 is named twice (allowed: each once)"},
      {{1, 3, 5}, "node_order: 3 nodes (allowed: the 2 that 8 ranks fill)"},
      {{1, 2}, "node_order: node 2 is none of job_nodes (1,3,5)"},
  };
  for (const auto& row : kRows) {
    strategy.node_order = row.order;
    const std::optional<Rejection> rejection = find_rejection(scenario, strategy);
    EXPECT_EQ(rejection ? rejection->message : "", row.message);
  }
}

TEST(JobCluster, FollowsTheJobAndThenTheStrategy) {
  Scenario scenario = tiny_scenario(8);
  scenario.hardware.num_nodes = 6;
  scenario.hardware.nodes_per_pod = 6;
  EXPECT_EQ(nodes_of_job(scenario).value(), (NodeList{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(job_cluster(scenario).value().machine_node(1), 1);
  scenario.job_nodes = {1, 3, 5};
  EXPECT_EQ(nodes_of_job(scenario).value(), (NodeList{1, 3, 5}));
  EXPECT_EQ(job_cluster(scenario).value().machine_node(1), 3);
  Strategy strategy = sample_strategy(scenario, {.data = 8});
  EXPECT_EQ(job_cluster(scenario, strategy).value().machine_node(1), 3);
  strategy.node_order = {5, 1};
  EXPECT_EQ(job_cluster(scenario, strategy).value().machine_node(1), 1);
}

TEST(JobCluster, HasNoFailedNodes) {
  Scenario scenario = tiny_scenario(8);
  scenario.hardware.num_nodes = 3;
  scenario.hardware.nodes_per_pod = 3;
  scenario.hardware.condition = {{.kind = ImpairmentKind::kFailedNode, .place = "node1"}};
  EXPECT_EQ(nodes_of_job(scenario).value(), (NodeList{0, 2}));
  EXPECT_EQ(job_cluster(scenario).value().machine_node(1), 2);
  Strategy strategy = sample_strategy(scenario, {.data = 8});
  strategy.node_order = {2, 1};
  EXPECT_EQ(job_cluster(scenario, strategy).error().message,
            "node_order: node 1 of small has failed (allowed: nodes without a failed-node)");
  scenario.job_nodes = {0, 1};
  EXPECT_EQ(job_cluster(scenario).error().message,
            "job_nodes: node 1 of small has failed (allowed: nodes without a failed-node)");
  scenario.job_nodes = {};
  scenario.num_gpus = 12;
  EXPECT_EQ(job_cluster(scenario).error().message,
            "num_gpus: 12 GPUs need 3 nodes of small, of which 2 have not failed");
}

}  // namespace
}  // namespace portolan
