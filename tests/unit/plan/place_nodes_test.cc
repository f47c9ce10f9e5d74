#include "plan/place_nodes.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "plan/lower.h"
#include "plan/placed_finalists.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

/// 8 nodes of 4 GPUs in pods of 4; trunks have a tenth of the cards' bandwidth.
Scenario oversubscribed_scenario() {
  Scenario scenario = tiny_scenario(16);
  scenario.hardware.num_nodes = 8;
  scenario.hardware.nodes_per_pod = 4;
  scenario.hardware.spines = 1;
  scenario.hardware.trunk = scenario.hardware.nic;
  scenario.hardware.trunk.bandwidth.value = BytesPerSecond(4e9);
  return scenario;
}

// Two stages of two nodes each: a stage's nodes sum gradients, and send to the other stage's. A job that has
// nodes of both pods in turn is better off with a stage in each.
TEST(PlaceNodes, PutsWhatSumsGradientsIntoOnePod) {
  Scenario scenario = oversubscribed_scenario();
  scenario.job_nodes = {0, 4, 1, 5};
  const Program program = lower(scenario, sample_strategy(scenario, {.pipeline = 2, .data = 8}));
  const std::vector<NodeOrder> orders = place_nodes(scenario, program).value();
  ASSERT_GE(orders.size(), 2u);
  EXPECT_EQ(orders[0].nodes, scenario.job_nodes);
  EXPECT_TRUE(orders[1].load.is_less_than(orders[0].load));
  EXPECT_EQ(orders[1].nodes[0] / 4, orders[1].nodes[1] / 4);
  EXPECT_EQ(orders[1].nodes[2] / 4, orders[1].nodes[3] / 4);
}

// Four nodes are needed, and a spare one lies where the others do.
TEST(PlaceNodes, TakesASpareNodeThatLiesBetter) {
  Scenario scenario = oversubscribed_scenario();
  scenario.job_nodes = {0, 1, 2, 7, 3};
  const Program program = lower(scenario, sample_strategy(scenario, {.data = 16}));
  const std::vector<NodeOrder> orders = place_nodes(scenario, program).value();
  ASSERT_GE(orders.size(), 2u);
  NodeList used = orders[1].nodes;
  std::sort(used.begin(), used.end());
  EXPECT_EQ(used, (NodeList{0, 1, 2, 3}));
}

// Where one is to spare, none with a slow GPU is used.
TEST(PlaceNodes, DoesWithoutANodeThatIsSlow) {
  Scenario scenario = oversubscribed_scenario();
  scenario.job_nodes = {0, 1, 2, 3, 4};
  scenario.hardware.condition = {{.kind = ImpairmentKind::kSlowGpu, .place = "node2.gpu1", .share = 0.5}};
  const Program program = lower(scenario, sample_strategy(scenario, {.data = 16}));
  const std::vector<NodeOrder> orders = place_nodes(scenario, program).value();
  ASSERT_GE(orders.size(), 2u);
  EXPECT_EQ(orders[0].nodes, (NodeList{0, 1, 2, 3}));
  NodeList used = orders[1].nodes;
  std::sort(used.begin(), used.end());
  EXPECT_EQ(used, (NodeList{0, 1, 3, 4}));
}

TEST(PlaceNodes, LeavesAloneWhatCannotGain) {
  Scenario scenario = oversubscribed_scenario();
  scenario.hardware.nodes_per_pod = 8;  // all alike
  scenario.hardware.spines = 0;
  scenario.job_nodes = {5, 2, 7, 0};
  const Program program = lower(scenario, sample_strategy(scenario, {.data = 16}));
  const std::vector<NodeOrder> orders = place_nodes(scenario, program).value();
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_EQ(orders[0].nodes, scenario.job_nodes);
}

/// An evaluator that takes a step to be as long as the order's first node is far on.
Evaluator by_first_node(std::vector<Fidelity>& asked, std::optional<ErrorKind> full_fails = {}) {
  return [&asked, full_fails](std::span<const Strategy> strategies, Fidelity fidelity) {
    asked.push_back(fidelity);
    std::vector<Result<Estimate>> results;
    for (const Strategy& strategy : strategies) {
      if (full_fails && fidelity == Fidelity::kFull) {
        results.emplace_back(Error{*full_fails, "too large"});
        continue;
      }
      Estimate estimate;
      estimate.strategy = strategy;
      estimate.step_time = Seconds(strategy.node_order.empty() ? 1 : 1 + strategy.node_order[0]);
      results.emplace_back(estimate);
    }
    return results;
  };
}

Estimate finalist(const Scenario& scenario) {
  Estimate estimate;
  estimate.strategy = sample_strategy(scenario, {.pipeline = 2, .data = 8});
  return estimate;
}

TEST(PlacedFinalists, KeepTheDefaultOrderWhereNoOtherIsFaster) {
  Scenario scenario = oversubscribed_scenario();
  scenario.job_nodes = {0, 4, 1, 5};
  std::vector<Fidelity> asked;
  const PlacedFinalists placed =
      place_finalists(scenario, {finalist(scenario)}, 1, by_first_node(asked)).value();
  ASSERT_EQ(placed.list.size(), 1u);
  EXPECT_EQ(placed.fidelity, Fidelity::kFull);
  EXPECT_TRUE(placed.list[0].placed.strategy.node_order.empty());
  EXPECT_EQ(placed.list[0].placed_load, placed.list[0].default_load);
}

TEST(PlacedFinalists, StepDownWhereFullIsTooLarge) {
  Scenario scenario = oversubscribed_scenario();
  scenario.job_nodes = {0, 4, 1, 5};
  std::vector<Fidelity> asked;
  const Result<PlacedFinalists> placed =
      place_finalists(scenario, {finalist(scenario)}, 1, by_first_node(asked, ErrorKind::kInfeasible));
  ASSERT_TRUE(placed);
  EXPECT_EQ(placed->fidelity, Fidelity::kReplicas);
  EXPECT_EQ(asked, (std::vector{Fidelity::kFull, Fidelity::kReplicas}));
  EXPECT_FALSE(place_finalists(scenario, {finalist(scenario)}, 1, by_first_node(asked, ErrorKind::kDevice)));
}

}  // namespace
}  // namespace portolan
