#include <gtest/gtest.h>

#include "plain_runner.h"
#include "plan/costed_program.h"
#include "plan/lower.h"
#include "plan/simulate.h"
#include "plan/unfold.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

struct Prepared {
  Program program;
  Cluster cluster;
  KernelCost cost;
};

Prepared prepare(const Scenario& scenario, const Degrees& degrees) {
  return {lower(scenario, sample_strategy(scenario, degrees)), Cluster::build(scenario.hardware).value(),
          KernelCost(scenario.hardware, scenario.precision)};
}

int num_compute_ops(const CostedTemplate& t) {
  int count = 0;
  for (const CostedOp& op : t.ops) {
    count += op.kind == OpKind::kCompute;
  }
  return count;
}

TEST(Coalesce, MakesEveryTemplateOneComputeActivity) {
  for (const Degrees& degrees : {Degrees{}, Degrees{.tensor = 2}, Degrees{.tensor = 2, .pipeline = 2},
                                 Degrees{.tensor = 2, .pipeline = 4}}) {
    const Prepared p = prepare(tiny_scenario(degrees.tensor * degrees.pipeline), degrees);
    const CostedProgram merged = coalesce(fold(p.program, p.cost, p.cluster, Fidelity::kFolded));
    for (const auto& stage : merged.stages) {
      for (const CostedTemplate& t : stage.templates) {
        EXPECT_LE(num_compute_ops(t), 1);
      }
    }
  }
}

TEST(Coalesce, KeepsAGatherApartFromComputeThatWaitsForASend) {
  // Blocking sends hold the compute back, not the gather of what was received: two activities.
  Scenario scenario = tiny_scenario(4);
  scenario.software.scatter_gather_pipeline.value = true;
  scenario.software.blocking_sends.value = true;
  const Prepared p = prepare(scenario, {.tensor = 2, .pipeline = 2});
  const CostedProgram merged = coalesce(fold(p.program, p.cost, p.cluster, Fidelity::kFolded));
  EXPECT_EQ(p.program.stages[1].templates[1].name, "forward 0");
  EXPECT_EQ(num_compute_ops(merged.stages[1].templates[1]), 2);
}

TEST(Coalesce, KeepsTensorCollectivesApartOnTheExplicitRung) {
  const Prepared p = prepare(tiny_scenario(2), {.tensor = 2});
  const CostedProgram merged = coalesce(fold(p.program, p.cost, p.cluster, Fidelity::kExplicit));
  // Forward of 4 layers: all-reduces after embedding, twice a layer, one for the loss: 10 pieces of compute
  // lie around them.
  int collectives = 0;
  for (const CostedOp& op : merged.stages[0].templates[1].ops) {
    collectives += op.kind == OpKind::kCollective;
  }
  EXPECT_EQ(collectives, 10);
  EXPECT_EQ(num_compute_ops(merged.stages[0].templates[1]), 10);
}

TEST(Coalesce, PartsOfAMergedOpAddUpToIt) {
  const Prepared p = prepare(tiny_scenario(4), {.tensor = 2, .pipeline = 2});
  const CostedProgram apart = fold(p.program, p.cost, p.cluster, Fidelity::kFolded);
  const CostedProgram merged = coalesce(apart);
  for (std::size_t s = 0; s < apart.stages.size(); ++s) {
    for (std::size_t t = 0; t < apart.stages[s].templates.size(); ++t) {
      std::size_t num_parts = 0;
      for (const CostedOp& op : merged.stages[s].templates[t].ops) {
        double sum = 0;
        for (const CostedPart& part : op.parts) {
          sum += part.duration.value;
          EXPECT_EQ(part.duration,
                    apart.stages[s].templates[t].ops[static_cast<std::size_t>(part.op)].duration);
        }
        EXPECT_NEAR(sum, op.duration.value, 1e-15);
        num_parts += op.parts.size();
      }
      EXPECT_EQ(num_parts, apart.stages[s].templates[t].ops.size());
    }
  }
}

TEST(Fold, TurnsTensorCollectivesIntoComputeOfTheirTime) {
  const Prepared p = prepare(tiny_scenario(2), {.tensor = 2});
  const CostedProgram folded = fold(p.program, p.cost, p.cluster, Fidelity::kFolded);
  const auto& ops = p.program.stages[0].templates[1].ops;
  int seen = 0;
  for (std::size_t o = 0; o < ops.size(); ++o) {
    if (ops[o].kind == OpKind::kCollective && ops[o].layer == 0) {
      ++seen;
      EXPECT_EQ(folded.stages[0].templates[1].ops[o].kind, OpKind::kCompute);
      EXPECT_EQ(folded.stages[0].templates[1].ops[o].lane, 0);
      // Hidden state of 16 tokens x 32 x 4 B = 2048 B; ring of 2: 2 x 1/2 x 2048 B at 100 GB/s, 2 steps of 3
      // us.
      EXPECT_DOUBLE_EQ(folded.stages[0].templates[1].ops[o].duration.value, 2048 / 100e9 + 6e-6);
    }
  }
  EXPECT_EQ(seen, 2);
}

TEST(Unfold, RefusesWhatItCannotRun) {
  const Scenario scenario = tiny_scenario(8);
  const Prepared p = prepare(scenario, {.tensor = 2, .pipeline = 2, .data = 2});
  const auto formula = unfold(fold(p.program, p.cost, p.cluster, Fidelity::kClosedForm), p.cluster);
  ASSERT_FALSE(formula);
  EXPECT_NE(formula.error().message.find("closed-form"), std::string::npos);
  Hardware one_node = small_hardware();
  one_node.num_nodes = 1;
  const Cluster small = Cluster::build(one_node).value();
  const Strategy strategy = sample_strategy(scenario, {.tensor = 2, .pipeline = 2, .data = 2});
  const auto refused = simulate_program({scenario, strategy, p.program, small, Fidelity::kFolded, false},
                                        run_without_contention);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInfeasible);
  EXPECT_EQ(refused.error().message, "8 ranks exceed the 4 GPUs of small");
}

TEST(Unfold, ASendWithoutItsReceiveIsAnError) {
  Prepared p = prepare(tiny_scenario(2), {.pipeline = 2});
  std::erase_if(p.program.stages[1].order, [](const Slot& slot) { return slot.microbatch == 2; });
  const auto refused = unfold(fold(p.program, p.cost, p.cluster, Fidelity::kFolded), p.cluster);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("joined by 1 of 2 ranks"), std::string::npos)
      << refused.error().message;
}

TEST(Unfold, FollowsAShuffledOrderList) {
  // Two stages without replicas; all microbatches renamed from the last to the first: the same times, other
  // ids first.
  Prepared p = prepare(tiny_scenario(2), {.pipeline = 2, .microbatch = 4});
  const auto run = [&](const Program& program) {
    const CostedProgram costed = coalesce(fold(program, p.cost, p.cluster, Fidelity::kFolded));
    const UnfoldedProgram unfolded = unfold(costed, p.cluster).value();
    return expand_timeline(costed, unfolded, run_without_contention(unfolded.graph).value());
  };
  const Timeline before = run(p.program);
  Program shuffled = p.program;
  for (Stage& stage : shuffled.stages) {
    for (std::size_t i = 1; i < 9; ++i) {  // 4 microbatches, each way
      stage.order[i].microbatch = 3 - stage.order[i].microbatch;
    }
  }
  const Timeline after = run(shuffled);
  EXPECT_EQ(before.makespan, after.makespan);
  const OpIds ids(p.program);
  const auto start_of = [&](const Timeline& timeline, std::int32_t microbatch) {
    for (const TimelineEntry& entry : timeline.entries) {
      if (entry.op_id == ids.id(0, 1, 0, microbatch)) {
        return entry.start.value;
      }
    }
    return -1.0;
  };
  EXPECT_LT(start_of(before, 0), start_of(before, 3));
  EXPECT_GT(start_of(after, 0), start_of(after, 3));
  EXPECT_EQ(start_of(before, 0), start_of(after, 3));
}

}  // namespace
}  // namespace portolan
