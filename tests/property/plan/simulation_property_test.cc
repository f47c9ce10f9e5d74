#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "plain_runner.h"
#include "plan/costed_program.h"
#include "plan/lower.h"
#include "plan/unfold.h"
#include "sample_scenarios.h"
#include "small_programs.h"

namespace portolan {
namespace {

/// One step on one rung, run without contention.
struct Step {
  CostedProgram costed;
  UnfoldedProgram unfolded;
  ActivityTimes times;
};

Step run(CostedProgram costed, const Cluster& cluster) {
  UnfoldedProgram unfolded = unfold(costed, cluster).value();
  ActivityTimes times = run_without_contention(unfolded.graph).value();
  return {std::move(costed), std::move(unfolded), std::move(times)};
}

/// Calls `use(program, cluster, cost, what)` for every fourth legal strategy of every small scenario.
template <typename Use>
void for_many_programs(const Use& use) {
  for (const Scenario& scenario : small_scenarios()) {
    const Cluster cluster = Cluster::build(scenario.hardware).value();
    const KernelCost cost(scenario.hardware, scenario.precision);
    const std::vector<Strategy> strategies = legal_strategies(scenario);
    for (std::size_t i = 0; i < strategies.size(); i += 4) {
      SCOPED_TRACE(short_name(strategies[i]));
      use(lower(scenario, strategies[i]), cluster, cost);
    }
  }
}

void expect_breakdown_adds_up(const Step& step) {
  const Breakdown b = breakdown_of(step.costed, step.unfolded, step.times);
  const double makespan = step.times.makespan.value;
  EXPECT_NEAR(b.total().value, makespan, 1e-12 * makespan);
  for (const Seconds part : {b.compute, b.recompute, b.exposed_tensor, b.exposed_pipeline, b.exposed_data,
                             b.bubble, b.optimizer, b.other}) {
    EXPECT_GE(part.value, -1e-12 * makespan);
  }
  EXPECT_GT(b.compute.value, 0);
  EXPECT_GT(b.optimizer.value, 0);
}

TEST(SimulationProperty, CoalescingChangesNoTimeAndBreakdownsAddUpOnAllRungs) {
  for_many_programs([](const Program& program, const Cluster& cluster, const KernelCost& cost) {
    for (const Fidelity fidelity : {Fidelity::kFolded, Fidelity::kFull, Fidelity::kExplicit}) {
      const Step apart = run(fold(program, cost, cluster, fidelity), cluster);
      const Step merged = run(coalesce(apart.costed), cluster);
      EXPECT_NEAR(merged.times.makespan.value, apart.times.makespan.value,
                  1e-12 * apart.times.makespan.value);
      EXPECT_LE(merged.unfolded.graph.activities.size(), apart.unfolded.graph.activities.size());
      expect_breakdown_adds_up(apart);
      expect_breakdown_adds_up(merged);
      const Breakdown a = breakdown_of(apart.costed, apart.unfolded, apart.times);
      const Breakdown b = breakdown_of(merged.costed, merged.unfolded, merged.times);
      const double tolerance = 1e-12 * apart.times.makespan.value;
      EXPECT_NEAR(a.compute.value, b.compute.value, tolerance);
      EXPECT_NEAR(a.exposed_tensor.value, b.exposed_tensor.value, tolerance);
      EXPECT_NEAR(a.exposed_pipeline.value, b.exposed_pipeline.value, tolerance);
      EXPECT_NEAR(a.exposed_data.value, b.exposed_data.value, tolerance);
    }
  });
}

std::set<std::int64_t> ids_of_stage(const Program& program, const OpIds& ids, std::int32_t stage) {
  std::set<std::int64_t> expected;
  const Stage& s = program.stages[static_cast<std::size_t>(stage)];
  for (const Slot& slot : s.order) {
    const auto& ops = s.templates[static_cast<std::size_t>(slot.template_index)].ops;
    for (std::size_t o = 0; o < ops.size(); ++o) {
      expected.insert(ids.id(stage, slot.template_index, static_cast<std::int32_t>(o), slot.microbatch));
    }
  }
  return expected;
}

/// The compute ops of a stage, by id.
std::set<std::int64_t> compute_ids(const Program& program, const OpIds& ids, std::int32_t stage) {
  std::set<std::int64_t> found;
  const auto& templates = program.stages[static_cast<std::size_t>(stage)].templates;
  for (std::size_t t = 0; t < templates.size(); ++t) {
    for (std::size_t o = 0; o < templates[t].ops.size(); ++o) {
      for (std::int32_t m = 0; templates[t].ops[o].kind == OpKind::kCompute && m < program.num_microbatches;
           ++m) {
        found.insert(ids.id(stage, static_cast<std::int32_t>(t), static_cast<std::int32_t>(o), m));
      }
    }
  }
  return found;
}

void expect_timeline_complete(const Program& program, const Step& step) {
  const OpIds ids(program);
  const Timeline timeline = expand_timeline(step.costed, step.unfolded, step.times);
  const double slack = 1e-12 * step.times.makespan.value;
  std::map<std::int32_t, std::multiset<std::int64_t>> ids_of_rank;
  std::map<std::int32_t, std::vector<TimelineEntry>> entries_of_rank;
  for (const TimelineEntry& entry : timeline.entries) {
    ids_of_rank[entry.rank].insert(entry.op_id);
    entries_of_rank[entry.rank].push_back(entry);
    EXPECT_LE(entry.start.value, entry.end.value + slack);
    EXPECT_LE(entry.end.value, timeline.makespan.value + slack);
  }
  EXPECT_EQ(ids_of_rank.size(), step.unfolded.units.size());
  for (const Unit& unit : step.unfolded.units) {
    const std::set<std::int64_t> expected = ids_of_stage(program, ids, unit.stage);
    EXPECT_EQ(ids_of_rank[unit.rank], std::multiset<std::int64_t>(expected.begin(), expected.end()));
    const std::set<std::int64_t> compute = compute_ids(program, ids, unit.stage);
    double lane_free = 0;
    for (const TimelineEntry& entry : entries_of_rank[unit.rank]) {
      if (compute.contains(entry.op_id)) {
        EXPECT_GE(entry.start.value, lane_free - slack);
        lane_free = entry.end.value;
      }
    }
  }
}

TEST(SimulationProperty, TimelinesHoldEveryOpOnceAndComputeOfARankNeverOverlaps) {
  for_many_programs([](const Program& program, const Cluster& cluster, const KernelCost& cost) {
    for (const Fidelity fidelity : {Fidelity::kFolded, Fidelity::kFull, Fidelity::kExplicit}) {
      const CostedProgram costed = fold(program, cost, cluster, fidelity);
      expect_timeline_complete(program, run(costed, cluster));
      expect_timeline_complete(program, run(coalesce(costed), cluster));
    }
  });
}

TEST(SimulationProperty, AllUnitsOfARungRunEveryOpOfTheirStage) {
  Scenario scenario = tiny_scenario(8);
  const Strategy strategy = sample_strategy(scenario, {.tensor = 2, .pipeline = 2, .data = 2});
  const Program program = lower(scenario, strategy);
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const KernelCost cost(scenario.hardware, scenario.precision);
  const auto num_units = [&](Fidelity fidelity) {
    return unfold(fold(program, cost, cluster, fidelity), cluster)->units.size();
  };
  EXPECT_EQ(num_units(Fidelity::kFolded), 2U);    // a stage each
  EXPECT_EQ(num_units(Fidelity::kFull), 4U);      // a stage of a replica each
  EXPECT_EQ(num_units(Fidelity::kExplicit), 8U);  // a rank each
}

/// Times of the passes of a whole stage; a chunk takes its share.
struct PassTimes {
  double forward = 0, backward = 0, weight = 0;
};

/// Gives the compute of the passes round times and all other compute none.
void make_uniform(CostedProgram& costed, const Program& program, const PassTimes& times, int num_chunks) {
  const auto time_of = [&](const std::string& name) {
    return name.starts_with("forward")           ? times.forward
           : name.starts_with("backward_weight") ? times.weight
           : name.starts_with("backward")        ? times.backward
                                                 : 0;
  };
  for (std::size_t s = 0; s < costed.stages.size(); ++s) {
    const Stage& stage = program.stages[s];
    for (std::size_t slot = 0; slot < stage.order.size(); ++slot) {
      const auto source = static_cast<std::size_t>(stage.order[slot].template_index);
      const auto t = static_cast<std::size_t>(costed.stages[s].of_slot[slot]);
      const Seconds time(time_of(stage.templates[source].name) / num_chunks);
      for (CostedOp& op : costed.stages[s].templates[t].ops) {
        op.duration = op.kind == OpKind::kCompute ? time : Seconds(0);
      }
    }
  }
}

// With free sends a step takes its passes and the published bubble (plan/schedule.h).
TEST(SimulationProperty, UniformPipelinesTakeTheirPassesAndThePublishedBubble) {
  for (const SmallPipeline& pipeline : small_pipelines(8, 8)) {
    const double m = pipeline.num_microbatches, p = pipeline.num_stages, v = pipeline.num_chunks;
    const bool split = pipeline.schedule == ScheduleKind::kZeroBubbleH1;
    if (split && m < p) {
      continue;
    }
    auto [scenario, strategy] = small_pipeline(pipeline);
    scenario.hardware = with_free_communication(scenario.hardware);
    const Program program = lower(scenario, strategy);
    const Cluster cluster = Cluster::build(scenario.hardware).value();
    const KernelCost cost(scenario.hardware, scenario.precision);
    CostedProgram costed = coalesce(fold(program, cost, cluster, Fidelity::kFolded));
    const PassTimes times = split ? PassTimes{1, 1.2, 0.8} : PassTimes{1, 2, 0};
    make_uniform(costed, program, times, pipeline.num_chunks);
    const Step step = run(std::move(costed), cluster);
    const double bubble = (p - 1) * (times.forward + times.backward - times.weight) / v;
    EXPECT_NEAR(step.times.makespan.value, 3 * m + bubble, 1e-9) << short_name(strategy);
  }
}

}  // namespace
}  // namespace portolan
