// A run that a plan predicts, with one kind of work slowed by 10 %: the comparison names that kind, and none
// where nothing was slowed, whatever the noise.
#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <set>
#include <sstream>

#include "catalog/measured/kineto_trace.h"
#include "kineto_writer.h"
#include "plan/placed_times.h"
#include "plan/rank_place.h"
#include "planted_plans.h"
#include "tests/property/thinned.h"

namespace portolan {
namespace {

/// 20 runs.
std::vector<std::uint64_t> seeds() {
  std::vector<std::uint64_t> all(20);
  std::iota(all.begin(), all.end(), std::uint64_t{1});
  return thinned(std::move(all));
}

const std::vector<PredictedPlan>& plans() {
  static const std::vector<PredictedPlan> made = predicted_plans();
  return made;
}

KernelCost cost_of(const PredictedPlan& plan) {
  return {plan.plan.scenario.hardware, plan.plan.strategy.precision, plan.plan.scenario.software};
}

Result<Divergence> compared(const PredictedPlan& plan, std::int32_t rank, const MadeUpRun& run,
                            std::uint64_t seed) {
  std::istringstream trace(write_kineto_trace(plan.plan.program, cost_of(plan), plan.simulation.timeline,
                                              rank, run, RandomStream(seed)));
  PORTOLAN_TRY(const MeasuredTrace measured, read_kineto_trace(trace, "made-up.json", {}));
  return divergence_from_trace(plan.prediction(), measured, {});
}

std::string names_of(const Divergence& divergence) {
  std::string names;
  for (const Attribution& one : divergence.attribution) {
    names += (names.empty() ? "" : ", ") + one.kind + (one.axis.empty() ? "" : " " + one.axis);
  }
  return names;
}

/// Kinds by their axis, of at least 0.5 % of the step, that a trace can be asked about.
std::vector<std::pair<TimeKind, std::string>> plantable_kinds(const PredictedPlan& plan) {
  std::map<std::pair<TimeKind, std::string>, Seconds> sums;
  for (const PlacedTime& time :
       predicted_placed_times(plan.plan.program, cost_of(plan), plan.simulation.timeline, 0)) {
    sums[{time.kind, time.axis}] += time.time;
  }
  std::vector<std::pair<TimeKind, std::string>> kinds;
  for (const auto& [key, time] : sums) {
    if (key.first != TimeKind::kSendReceive && time > 0.005 * plan.simulation.estimate.step_time) {
      kinds.push_back(key);
    }
  }
  return kinds;
}

std::string axis_of(const PredictedPlan& plan, const Op& op) {
  return op.kind == OpKind::kCollective
             ? axes_between(plan.plan.program, group_of(plan.plan.program, 0, op), 0)
             : "";
}

TEST(PlantedTrace, AnUnchangedRunNamesNothing) {
  for (const PredictedPlan& plan : plans()) {
    for (const std::uint64_t seed : seeds()) {
      const auto divergence = compared(plan, 0, {}, seed);
      ASSERT_TRUE(divergence) << divergence.error().message;
      EXPECT_EQ(names_of(*divergence), "") << plan.name << ", seed " << seed;
      EXPECT_TRUE(divergence->valid) << divergence->invalid_reason;
      EXPECT_NEAR(*divergence->step.divergence_pct, 0, 1) << plan.name << ", seed " << seed;
    }
  }
}

TEST(PlantedTrace, TheSlowKindIsNamedAndNoOther) {
  int num_planted = 0;
  std::set<TimeKind> planted;
  for (const PredictedPlan& plan : plans()) {
    for (const auto& [kind, axis] : plantable_kinds(plan)) {
      ++num_planted;
      planted.insert(kind);
      const std::string expected = std::string(time_kind_name(kind)) + (axis.empty() ? "" : " " + axis);
      MadeUpRun run;
      run.slowdown = [&plan, kind = kind, axis = axis](TimeKind of, const Op& op) {
        return of == kind && axis_of(plan, op) == axis ? 1.1 : 1.0;
      };
      for (const std::uint64_t seed : seeds()) {
        const auto divergence = compared(plan, 0, run, 1000 + seed);
        ASSERT_TRUE(divergence) << divergence.error().message;
        EXPECT_EQ(names_of(*divergence), expected) << plan.name << ", seed " << seed;
        ASSERT_FALSE(divergence->attribution.empty());
        EXPECT_NEAR(*divergence->attribution.front().excess_pct, 10, 3) << expected << ", seed " << seed;
      }
    }
  }
  EXPECT_GE(num_planted, 12);
  EXPECT_GE(planted.size(), 8U);
}

TEST(PlantedTrace, OneDisturbedStepChangesNothing) {
  const PredictedPlan& plan = plans()[0];
  MadeUpRun run;
  run.disturbed_step = 4;
  MadeUpRun slow = run;
  slow.slowdown = [](TimeKind of, const Op&) { return of == TimeKind::kElementwise ? 1.1 : 1.0; };
  for (const std::uint64_t seed : seeds()) {
    EXPECT_EQ(names_of(*compared(plan, 0, run, seed)), "") << seed;
    EXPECT_EQ(names_of(*compared(plan, 0, slow, seed)), "elementwise") << seed;
  }
}

TEST(PlantedTrace, ThePhaseIsNamed) {
  const PredictedPlan& plan = plans()[1];
  MadeUpRun run;
  run.slowdown = [](TimeKind of, const Op& op) {
    return of == TimeKind::kGemm && op.phase == Phase::kRecompute ? 1.1 : 1.0;
  };
  for (const std::uint64_t seed : seeds()) {
    const auto divergence = compared(plan, 0, run, seed);
    ASSERT_TRUE(divergence) << divergence.error().message;
    ASSERT_EQ(names_of(*divergence), "gemm") << seed;
    EXPECT_EQ(divergence->attribution.front().phases, "recompute") << seed;
  }
}

TEST(PlantedTrace, OfEveryStage) {
  const PredictedPlan& plan = plans()[0];
  MadeUpRun run;
  run.slowdown = [](TimeKind of, const Op&) { return of == TimeKind::kSoftmax ? 1.1 : 1.0; };
  // Of the timeline's ranks, one a stage.
  std::set<std::int32_t> ranks;
  for (const TimelineEntry& entry : plan.simulation.timeline.entries) {
    ranks.insert(entry.rank);
  }
  ASSERT_EQ(ranks.size(), 2U);
  for (const std::int32_t rank : ranks) {
    const auto divergence = compared(plan, rank, run, 7);
    ASSERT_TRUE(divergence) << divergence.error().message;
    EXPECT_EQ(names_of(*divergence), "softmax") << rank;
  }
}

TEST(PlantedTrace, KindsAddUpToTheStep) {
  for (const PredictedPlan& plan : plans()) {
    const auto divergence = compared(plan, 0, {.kernel_noise = 0, .step_noise = 0}, 1);
    ASSERT_TRUE(divergence) << divergence.error().message;
    Seconds predicted, measured;
    for (const KindDivergence& kind : divergence->by_kind) {
      const bool runs_beside = !kind.axis.empty();
      predicted += runs_beside ? Seconds(0) : kind.predicted;
      measured += runs_beside ? Seconds(0) : kind.measured;
      // Without noise, what was written is what is predicted: each kind, each axis, each phase.
      EXPECT_NEAR(kind.predicted.value, kind.measured.value, 1e-4 * divergence->step.predicted.value)
          << plan.name << ": " << kind.kind << " " << kind.axis << " " << kind.phase;
    }
    EXPECT_NEAR(predicted / divergence->step.predicted, 1, 1e-3) << plan.name;
    EXPECT_NEAR(measured / divergence->step.measured, 1, 1e-3) << plan.name;
  }
}

TEST(PlantedTrace, WithoutLaunchesPhasesAreNotCompared) {
  const PredictedPlan& plan = plans()[1];
  MadeUpRun run;
  run.with_launches = false;
  run.slowdown = [](TimeKind of, const Op&) { return of == TimeKind::kAttention ? 1.1 : 1.0; };
  const auto divergence = compared(plan, 0, run, 3);
  ASSERT_TRUE(divergence) << divergence.error().message;
  EXPECT_EQ(names_of(*divergence), "attention");
  for (const KindDivergence& kind : divergence->by_kind) {
    EXPECT_EQ(kind.phase, "");
  }
}

TEST(PlantedTrace, AGroupsSizeAloneTellsItsAxisWhereOneHasIt) {
  // tp 2, dp 8: no other axis has these sizes.
  const PredictedPlan& plan = plans()[1];
  MadeUpRun run;
  run.with_rank_lists = false;
  run.kernel_noise = run.step_noise = 0;
  const auto divergence = compared(plan, 0, run, 3);
  ASSERT_TRUE(divergence) << divergence.error().message;
  std::set<std::string> axes;
  for (const KindDivergence& kind : divergence->by_kind) {
    axes.insert(kind.axis);
  }
  EXPECT_EQ(axes, (std::set<std::string>{"", "tensor", "data"}));
}

}  // namespace
}  // namespace portolan
