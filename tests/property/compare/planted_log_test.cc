// The log that Megatron-LM would write of a run that a plan predicts, one of its timers 10 % longer: the
// comparison names that timer.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <sstream>

#include "base/random.h"
#include "catalog/measured/training_log.h"
#include "plan/timer_spans.h"
#include "planted_plans.h"

namespace portolan {
namespace {

constexpr std::array<const char*, 4> kTimers = {"forward-compute", "backward-compute", "all-grads-sync",
                                                "optimizer"};

/// 30 steps; `slow` is 10 % longer.
std::string made_up_log(const PredictedPlan& plan, const std::string& slow, std::uint64_t seed) {
  RandomStream random(seed);
  const auto noisy = [&](double value) { return value * (1 + 0.01 * random.next_normal()); };
  std::string text = "training ...\n";
  for (int step = 1; step <= 30; ++step) {
    const double warm_up = step == 1 ? 8 : step == 2 ? 1.5 : 1;
    text += fmt::format(
        " [2025-04-13 23:41:12] iteration {:8d}/    1000 | consumed samples: {:12d} | elapsed time per "
        "iteration "
        "(ms): {:.1f} | global batch size: {:5d} | number of skipped iterations:   0 |\n"
        "(min, max) time across ranks (ms):\n",
        step, step, warm_up * noisy(1000 * plan.simulation.estimate.step_time.value),
        plan.plan.scenario.global_batch);
    for (const char* timer : kTimers) {
      const Seconds predicted =
          longest_predicted_span(plan.plan.program, plan.simulation.timeline, *find_timer_span(timer));
      const double ms = noisy(1000 * predicted.value * (slow == timer ? 1.1 : 1.0));
      text += fmt::format("    {:.<48}: ({:.4f}, {:.4f})\n", std::string(timer) + " ", 0.9 * ms, ms);
    }
  }
  return text;
}

std::string names_in_log(const PredictedPlan& plan, const std::string& slow, std::uint64_t seed) {
  std::istringstream stream(made_up_log(plan, slow, seed));
  const auto log = read_training_log(stream, "made-up.log",
                                     {.size = {.global_batch = plan.plan.scenario.global_batch,
                                               .sequence_length = plan.plan.scenario.sequence_length,
                                               .num_gpus = plan.plan.program.num_ranks()},
                                      .rank_without_prefix = 0});
  EXPECT_TRUE(log);
  const auto divergence = divergence_from_log(plan.prediction(), *log);
  EXPECT_TRUE(divergence);
  EXPECT_TRUE(divergence->valid) << divergence->invalid_reason;
  std::string names;
  for (const Attribution& one : divergence->attribution) {
    names += (names.empty() ? "" : ", ") + one.kind;
  }
  return names;
}

TEST(PlantedLog, TheSlowTimerIsNamedAndNoOther) {
  const PredictedPlan plan = predicted_plans().front();
  for (const char* timer : kTimers) {
    ASSERT_GT(longest_predicted_span(plan.plan.program, plan.simulation.timeline, *find_timer_span(timer)),
              Seconds(0))
        << timer;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      EXPECT_EQ(names_in_log(plan, timer, seed), timer) << "seed " << seed;
    }
  }
}

TEST(PlantedLog, AnUnchangedRunNamesNothing) {
  const PredictedPlan plan = predicted_plans().front();
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    EXPECT_EQ(names_in_log(plan, "", seed), "") << "seed " << seed;
  }
}

// Nothing overlaps in the first plan: spans of a stage and its waiting are the step.
TEST(PlantedLog, SpansOfAStageFillItsStep) {
  const PredictedPlan plan = predicted_plans().front();
  const Program& program = plan.plan.program;
  for (std::int32_t stage = 0; stage < 2; ++stage) {
    const auto span = [&](TimerSpan of) {
      return predicted_span(program, plan.simulation.timeline, stage, of);
    };
    const Seconds whole = span(TimerSpan::kForwardBackward);
    EXPECT_LT(span(TimerSpan::kForward) + span(TimerSpan::kBackward), whole);
    EXPECT_GT(span(TimerSpan::kBackward), span(TimerSpan::kForward));
    EXPECT_GT(span(TimerSpan::kOptimizer), span(TimerSpan::kParameterGather));
    EXPECT_LE(whole + span(TimerSpan::kGradientSync) + span(TimerSpan::kOptimizer),
              1.0001 * plan.simulation.timeline.makespan);
  }
}

}  // namespace
}  // namespace portolan
