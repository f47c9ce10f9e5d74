#include "plan/shared_links.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "plan/lower.h"
#include "plan/unfold.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

/// What is folded, and what has become of it; the Program must outlive both.
struct Folded {
  CostedProgram costed;
  ActivityGraph graph;
};

Folded fold_and_unfold(const Scenario& scenario, const Program& program, const Cluster& cluster,
                       Fidelity fidelity) {
  CostedProgram costed =
      coalesce(fold(program, KernelCost(scenario.hardware, scenario.precision), cluster, fidelity));
  ActivityGraph graph = unfold(costed, cluster).value().graph;
  return {std::move(costed), std::move(graph)};
}

int num_tensor_collectives_left(const CostedProgram& costed) {
  int count = 0;
  for (std::size_t s = 0; s < costed.stages.size(); ++s) {
    const Stage& stage = costed.source->stages[s];
    for (std::size_t slot = 0; slot < stage.order.size(); ++slot) {
      const Template& t = stage.templates[static_cast<std::size_t>(stage.order[slot].template_index)];
      for (const CostedOp& op : costed.stages[s].in_slot(static_cast<std::int32_t>(slot)).ops) {
        const Op& source = t.ops[static_cast<std::size_t>(op.parts.front().op)];
        count += op.kind == OpKind::kCollective && !op.is_timed && source.axes == AxisSet{Axis::kTensor};
      }
    }
  }
  return count;
}

// NVLink so slow that collectives take most of the step.
TEST(LinkUse, FoldsTensorCollectivesUnlessGathersCrossTheirLinks) {
  struct Case {
    Degrees degrees;
    int zero = 0;
    bool meets = false;
  };
  for (const Case& c :
       {Case{{.tensor = 2, .data = 2}, 1, false},    // sums of gradients come after the kernels
        Case{{.tensor = 2, .data = 2}, 3, true},     // rings of the node's NVLink gather beside them
        Case{{.tensor = 4, .data = 2}, 3, false},    // rails between nodes: cards only
        Case{{.tensor = 2, .data = 4}, 3, true}}) {  // rails, and rings within nodes
    Scenario scenario = tiny_scenario(c.degrees.tensor * c.degrees.data);
    scenario.hardware.nvlink.bandwidth.value = BytesPerSecond(1e8);
    Strategy strategy = sample_strategy(scenario, c.degrees);
    strategy.zero_stage = c.zero;
    const Program program = lower(scenario, strategy);
    const Cluster cluster = Cluster::build(scenario.hardware).value();
    for (const Fidelity fidelity : {Fidelity::kFolded, Fidelity::kReplicas, Fidelity::kFull}) {
      const Folded f = fold_and_unfold(scenario, program, cluster, fidelity);
      EXPECT_EQ(num_tensor_collectives_left(f.costed) > 0, c.meets)
          << "tp " << c.degrees.tensor << " dp " << c.degrees.data << " zero " << c.zero << " "
          << fidelity_name(fidelity);
    }
  }
}

// What others use of a link for a negligible part of the step counts for nothing.
TEST(LinkUse, FoldsCollectivesThatMeetOthersForANegligibleTime) {
  Scenario scenario = tiny_scenario(4);
  scenario.hardware.nvlink.bandwidth.value = BytesPerSecond(1e15);
  Strategy strategy = sample_strategy(scenario, {.tensor = 2, .data = 2});
  strategy.zero_stage = 3;
  const Program program = lower(scenario, strategy);
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  EXPECT_EQ(
      num_tensor_collectives_left(fold_and_unfold(scenario, program, cluster, Fidelity::kFolded).costed), 0);
}

// Four rails between two nodes share one card: gathers and reductions of one rail stand for all.
TEST(SharedLinks, ATransferCrossesALinkAsOftenAsTheFlowsItStandsFor) {
  Scenario scenario = tiny_scenario(8);
  scenario.hardware.nics_per_node = 1;
  Strategy strategy = sample_strategy(scenario, {.tensor = 4, .data = 2});
  strategy.zero_stage = 3;
  const Program program = lower(scenario, strategy);
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const ActivityGraph graph = fold_and_unfold(scenario, program, cluster, Fidelity::kFolded).graph;
  int num_transfers = 0;
  for (const Activity& activity : graph.activities) {
    if (activity.kind != Activity::Kind::kTransfer || activity.bytes == 0) {
      continue;
    }
    ++num_transfers;
    const auto path = graph.links_of_path(activity.path);
    for (const std::int32_t link : path) {
      const SharedLink& shared = graph.links[static_cast<std::size_t>(link)];
      EXPECT_EQ(shared.bandwidth, BytesPerSecond(10e9)) << shared.name;  // none of its own
      EXPECT_EQ(std::ranges::count(path, link), 4) << shared.name;
    }
  }
  EXPECT_GT(num_transfers, 0);
}

// With one lane on every link there is nothing to meet: a part of the busiest link, crossed once.
TEST(SharedLinks, WhatMeetsNothingHasAPartOfItsBusiestLink) {
  Scenario scenario = tiny_scenario(8);
  scenario.hardware.nics_per_node = 1;
  const Strategy strategy = sample_strategy(scenario, {.tensor = 4, .data = 2});
  const Program program = lower(scenario, strategy);
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const ActivityGraph graph = fold_and_unfold(scenario, program, cluster, Fidelity::kFolded).graph;
  ASSERT_EQ(graph.links.size(), 1U);
  EXPECT_EQ(graph.links.front().bandwidth, BytesPerSecond(10e9 / 4));
  for (std::size_t path = 0; path + 1 < graph.path_offsets.size(); ++path) {
    EXPECT_EQ(graph.links_of_path(static_cast<std::int32_t>(path)).size(), 1U);
  }
}

}  // namespace
}  // namespace portolan
