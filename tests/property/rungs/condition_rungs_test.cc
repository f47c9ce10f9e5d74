#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "plan/degraded_step.h"
#include "plan/lower.h"
#include "plan/share_changes.h"
#include "plan/strategy.h"
#include "rung_scenarios.h"
#include "sim/simulator.h"
#include "tests/property/rungs/legal_grid.h"

// Laws of steps on clusters with which something is wrong, all the time or from some time on.

namespace portolan {
namespace {

using enum ImpairmentKind;

Scenario impaired_scenario(const Condition& condition) {
  Scenario scenario = round_scenario(4);
  scenario.hardware.condition = condition;
  return scenario;
}

/// A few that differ in what crosses which links: pipelines and replicas over nodes, sharded, tensor
/// parallel.
std::vector<Strategy> strategies() {
  const Scenario scenario = round_scenario(4);
  return LegalGrid(scenario)
      .vary(&Strategy::tensor_parallel, {1, 8})
      .vary(&Strategy::pipeline_parallel, {1, 4})
      .vary(&Strategy::zero_stage, {0, 3})
      .each([](Strategy& s) {
        s.microbatch_size = 4;
        s.sequence_parallel = s.tensor_parallel > 1;
        s.recompute.all_layers = recompute_full();
      })
      .fill_gpus()
      .take();
}

Result<Simulation> step_of(const Scenario& scenario, const Strategy& strategy, Fidelity fidelity,
                           const std::vector<ClusterEvent>& events = {},
                           const Disturbance* also_disturbed = nullptr) {
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const Program program = lower(scenario, strategy);
  return simulate_program({.scenario = scenario,
                           .strategy = strategy,
                           .program = program,
                           .cluster = cluster,
                           .fidelity = fidelity,
                           .events = events,
                           .also_disturbed = also_disturbed},
                          simulate);
}

double time_of(const Scenario& scenario, const Strategy& strategy,
               const std::vector<ClusterEvent>& events = {}, const Disturbance* also_disturbed = nullptr) {
  const auto step = step_of(scenario, strategy, Fidelity::kFull, events, also_disturbed);
  EXPECT_TRUE(step) << (step ? "" : step.error().message);
  return step ? step->estimate.step_time.value : 0;
}

/// With `share` left of it: what can be slow of this cluster.
std::vector<Impairment> slow_parts(double share) {
  return {{kSlowGpu, "node1.gpu3", share},
          {kSlowLink, "node1.nic3<->pod0.leaf3", share},
          {kSlowLink, "node2.gpu0->nvswitch", share}};
}

/// The healthy step, simulated like one with the event.
double healthy_time(const Strategy& strategy, const ClusterEvent& event) {
  const Scenario scenario = impaired_scenario({});
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const Disturbance disturbance(cluster, std::vector{event});
  return time_of(scenario, strategy, {}, &disturbance);
}

TEST(ConditionRungs, OfWholeSharesChangesNoBit) {
  for (const Strategy& strategy : strategies()) {
    const double healthy = time_of(impaired_scenario({}), strategy);
    EXPECT_EQ(time_of(impaired_scenario(slow_parts(1)), strategy), healthy) << short_name(strategy);
    EXPECT_GT(healthy, 0);
  }
}

TEST(ConditionRungs, AnEventOfTheBeginningIsACondition) {
  for (const Strategy& strategy : strategies()) {
    for (const Impairment& impairment : slow_parts(0.5)) {
      SCOPED_TRACE(short_name(strategy) + ", " + impairment_text(impairment));
      const double standing = time_of(impaired_scenario({impairment}), strategy);
      EXPECT_EQ(time_of(impaired_scenario({}), strategy, {{impairment}}), standing);
      EXPECT_GE(standing, healthy_time(strategy, {impairment}) * (1 - 1e-12));
    }
  }
}

TEST(ConditionRungs, AnEventAfterTheEndChangesNothing) {
  for (const Strategy& strategy : strategies()) {
    for (const Impairment& impairment : slow_parts(0.5)) {
      const double healthy = healthy_time(strategy, {impairment});
      const ClusterEvent late{impairment, Seconds(2 * healthy)};
      EXPECT_NEAR(time_of(impaired_scenario({}), strategy, {late}), healthy, 1e-12 * healthy);
    }
  }
}

TEST(ConditionRungs, TakesLongerTheLessIsLeftAndTheSooner) {
  for (const Strategy& strategy : strategies()) {
    for (std::size_t part = 0; part < slow_parts(1).size(); ++part) {
      SCOPED_TRACE(short_name(strategy) + ", part " + std::to_string(part));
      const double healthy = healthy_time(strategy, {slow_parts(0.5)[part]});
      double before = healthy;
      for (const double share : {0.9, 0.5, 0.25}) {
        const double time = time_of(impaired_scenario({slow_parts(share)[part]}), strategy);
        EXPECT_GE(time, before * (1 - 1e-6)) << share;
        EXPECT_LE(time, healthy / share * (1 + 1e-6)) << share;
        before = time;
      }
      for (const double at : {0.25, 0.5, 0.75}) {
        const ClusterEvent event{slow_parts(0.25)[part], Seconds(at * healthy)};
        const double time = time_of(impaired_scenario({}), strategy, {event});
        EXPECT_LE(time, before * (1 + 1e-6)) << at;
        EXPECT_GE(time, healthy * (1 - 1e-6)) << at;
        before = time;
      }
    }
  }
}

// A replica of one GPU alone: all of its step is its own compute.
TEST(ConditionRungs, StretchesTheComputeOfALonelyGpu) {
  Scenario scenario = round_scenario(1);
  scenario.num_gpus = 1;
  scenario.hardware.num_nodes = 1;
  const Strategy strategy = [&] {
    Strategy s;
    s.precision = scenario.precision;
    s.recompute.all_layers = recompute_full();
    return s;
  }();
  const double healthy = time_of(scenario, strategy);
  const ClusterEvent half{{kSlowGpu, "node0.gpu0", 0.5}, Seconds(healthy / 4)};
  EXPECT_NEAR(time_of(scenario, strategy, {half}), healthy * (0.25 + 0.75 * 2), 1e-9 * healthy);
  ClusterEvent passing = half;
  passing.lasting = Seconds(healthy / 2);
  EXPECT_NEAR(time_of(scenario, strategy, {passing}), healthy * 1.25, 1e-9 * healthy);
  scenario.hardware.condition = {half.what};
  EXPECT_NEAR(time_of(scenario, strategy), 2 * healthy, 1e-9 * healthy);
}

TEST(ConditionRungs, FullAndExplicitAgreeOnASlowGpu) {
  for (const Strategy& strategy : strategies()) {
    const Scenario scenario = impaired_scenario({{kSlowGpu, "node1.gpu3", 0.6}});
    const auto full = step_of(scenario, strategy, Fidelity::kFull);
    const auto all = step_of(scenario, strategy, Fidelity::kExplicit);
    ASSERT_TRUE(full && all);
    EXPECT_NEAR(full->estimate.step_time / all->estimate.step_time, 1, 0.01) << short_name(strategy);
  }
}

TEST(ConditionRungs, RungsThatTakeReplicasToBeAlikeRefuse) {
  const Strategy strategy = strategies().front();
  const auto refused = step_of(impaired_scenario(slow_parts(0.5)), strategy, Fidelity::kFolded);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message.substr(0, 72),
            "fidelity folded: one replica or rail stands for others, which differ whe");
  const auto failed = step_of(impaired_scenario({{kFailedNode, "node2"}}), strategy, Fidelity::kFull);
  ASSERT_FALSE(failed);
  EXPECT_EQ(
      failed.error().message,
      "node2 has failed: ranks 16 to 23 would be on it (use fewer GPUs, or one that works in its place)");
}

DegradedStep degraded(const Scenario& scenario, const Strategy& strategy,
                      const std::vector<ClusterEvent>& events) {
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const Program program = lower(scenario, strategy);
  const auto step = simulate_degraded({.scenario = scenario,
                                       .strategy = strategy,
                                       .program = program,
                                       .cluster = cluster,
                                       .fidelity = Fidelity::kFull,
                                       .events = events},
                                      simulate);
  EXPECT_TRUE(step) << (step ? "" : step.error().message);
  return step ? *step : DegradedStep{};
}

TEST(DegradedSteps, TheOthersWaitForASlowGpu) {
  for (const Strategy& strategy : strategies()) {
    const DegradedStep step = degraded(impaired_scenario({}), strategy, {{{kSlowGpu, "node1.gpu3", 0.5}}});
    EXPECT_GT(step.added().value, 0);
    EXPECT_FALSE(step.stop);
    ASSERT_EQ(step.step.ranks.size(), step.healthy_ranks.size());
    int slower = 0;
    for (std::size_t i = 0; i < step.step.ranks.size(); ++i) {
      const double longer = (step.step.ranks[i].compute - step.healthy_ranks[i].compute).value;
      const bool holds =
          step.step.ranks[i].rank <= 11 && 11 < step.step.ranks[i].rank + strategy.tensor_parallel;
      EXPECT_EQ(longer > 1e-9, holds) << step.step.ranks[i].rank;
      slower += longer > 1e-9 ? 1 : 0;
    }
    EXPECT_EQ(slower, 1);
  }
}

TEST(DegradedSteps, AJobStopsWhenSomethingCrossesWhatFailed) {
  for (const Strategy& strategy : strategies()) {
    SCOPED_TRACE(short_name(strategy));
    const Scenario scenario = impaired_scenario({});
    const double healthy = time_of(scenario, strategy);
    const Seconds at(0.3 * healthy);
    const DegradedStep step = degraded(scenario, strategy, {{{kFailedNic, "node1.nic3"}, at}});
    ASSERT_TRUE(step.stop);  // payloads of all of them cross nodes
    EXPECT_GE(step.stop->at, at);
    EXPECT_LE(step.stop->at, step.step.estimate.step_time);
    ASSERT_TRUE(step.stop->step_time_after);
    // The step itself goes on as if nothing had failed; afterwards one card carries the payloads of two.
    EXPECT_NEAR(step.step.estimate.step_time.value, step.healthy.value, 1e-12 * healthy);
    EXPECT_GE(step.stop->step_time_after->value, healthy * (1 - 1e-3));
    EXPECT_EQ(step.stop->step_time_after->value,
              time_of(impaired_scenario({{kFailedNic, "node1.nic3"}}), strategy));
  }
}

TEST(DegradedSteps, ANodeThatFailsStopsTheJobAtOnceAndIsReplaced) {
  const Strategy strategy = strategies().front();
  const Scenario scenario = impaired_scenario({});
  const double healthy = time_of(scenario, strategy);
  const std::vector<ClusterEvent> events = {{{kSlowGpu, "node0.gpu0", 0.5}, Seconds(0.1 * healthy)},
                                            {{kFailedNode, "node2"}, Seconds(0.2 * healthy)},
                                            {{kFailedNode, "node3"}, Seconds(0.3 * healthy)}};
  const DegradedStep step = degraded(scenario, strategy, events);
  ASSERT_TRUE(step.stop);
  EXPECT_EQ(step.stop->event, 1U);
  EXPECT_EQ(step.stop->at.value, 0.2 * healthy);
  EXPECT_EQ(step.stop->step_time_after->value,
            time_of(impaired_scenario({{kSlowGpu, "node0.gpu0", 0.5}}), strategy));
  EXPECT_FALSE(degraded(scenario, strategy, {{{kFailedNode, "node2"}, Seconds(2 * healthy)}}).stop);
}

TEST(DegradedSteps, WithoutAWayAroundTheJobCannotGoOn) {
  Scenario scenario = round_scenario(2);
  scenario.hardware.nics_per_node = 1;
  Strategy strategy;
  strategy.precision = scenario.precision;
  strategy.data_parallel = static_cast<std::int32_t>(scenario.num_gpus);
  strategy.recompute.all_layers = recompute_full();
  const DegradedStep step = degraded(scenario, strategy, {{{kFailedNic, "node1.nic0"}}});
  ASSERT_TRUE(step.stop);
  EXPECT_FALSE(step.stop->step_time_after);
  EXPECT_EQ(step.stop->no_restart, "condition: no way from node1 to node0 is left");
}

}  // namespace
}  // namespace portolan
