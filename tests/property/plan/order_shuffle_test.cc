#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "plain_runner.h"
#include "plan/costed_program.h"
#include "plan/lower.h"
#include "plan/unfold.h"
#include "sample_scenarios.h"
#include "small_programs.h"

namespace portolan {
namespace {

/// Whether the Program's dependencies, laid out as activities, can all be met.
bool can_complete(const Program& program, const Scenario& scenario) {
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const KernelCost cost(scenario.hardware, scenario.precision);
  const CostedProgram costed = fold(program, cost, cluster, Fidelity::kFolded);
  const auto unfolded = unfold(costed, cluster);
  return unfolded && run_without_contention(unfolded->graph);
}

/// Slots of microbatches, between the first slot (zeroing) and the closing ones.
std::pair<std::ptrdiff_t, std::ptrdiff_t> passes_of(const Stage& stage) {
  const auto closing = std::find_if(stage.order.begin() + 1, stage.order.end(), [&](const Slot& slot) {
    const std::string& name = stage.templates[static_cast<std::size_t>(slot.template_index)].name;
    return !name.starts_with("forward") && !name.starts_with("backward");
  });
  return {1, closing - stage.order.begin()};
}

/// The same passes in an order of chance with each forward before its backward.
void shuffle_passes(Stage& stage, std::int32_t num_microbatches, RandomStream& random) {
  const auto [begin, end] = passes_of(stage);
  for (std::ptrdiff_t i = begin; i + 1 < end; ++i) {
    const auto j = i + static_cast<std::ptrdiff_t>(random.next_below(static_cast<std::uint64_t>(end - i)));
    std::swap(stage.order[static_cast<std::size_t>(i)], stage.order[static_cast<std::size_t>(j)]);
  }
  for (std::int32_t m = 0; m < num_microbatches; ++m) {
    const auto of_microbatch = [&](const Slot& slot) { return slot.microbatch == m; };
    const auto first = std::find_if(stage.order.begin() + begin, stage.order.begin() + end, of_microbatch);
    const auto second = std::find_if(first + 1, stage.order.begin() + end, of_microbatch);
    if (first->template_index > second->template_index) {
      std::swap(*first, *second);
    }
  }
}

TEST(OrderShuffle, RenamingMicrobatchesAlikeInAllStagesIsLegal) {
  RandomStream random(11);
  for (const SmallPipeline& pipeline : small_pipelines(4, 6)) {
    const auto [scenario, strategy] = small_pipeline(pipeline);
    Program program = lower(scenario, strategy);
    std::vector<std::int32_t> name(static_cast<std::size_t>(pipeline.num_microbatches));
    for (std::size_t i = 0; i < name.size(); ++i) {
      name[i] = static_cast<std::int32_t>(i);
      std::swap(name[i], name[random.next_below(i + 1)]);
    }
    for (Stage& stage : program.stages) {
      const auto [begin, end] = passes_of(stage);
      for (std::ptrdiff_t i = begin; i < end; ++i) {
        std::int32_t& microbatch = stage.order[static_cast<std::size_t>(i)].microbatch;
        microbatch = name[static_cast<std::size_t>(microbatch)];
      }
    }
    const auto checked = check_program(program);
    EXPECT_TRUE(checked) << checked.error().message;
    EXPECT_TRUE(can_complete(program, scenario));
  }
}

TEST(OrderShuffle, CheckSaysDeadlockExactlyWhereDependenciesCannotBeMet) {
  RandomStream random(12);
  int num_legal = 0;
  int num_deadlocked = 0;
  for (int round = 0; round < 3000; ++round) {
    const SmallPipeline pipeline{static_cast<std::int32_t>(1 + random.next_below(3)),
                                 static_cast<std::int32_t>(1 + random.next_below(4)),
                                 random.next_below(2) == 0 ? ScheduleKind::kGPipe : ScheduleKind::kOneFOneB};
    auto [scenario, strategy] = small_pipeline(pipeline);
    scenario.software.blocking_sends.value = random.next_below(2) == 0;
    Program program = lower(scenario, strategy);
    for (Stage& stage : program.stages) {
      if (random.next_below(2) == 0) {
        shuffle_passes(stage, pipeline.num_microbatches, random);
      }
    }
    const auto checked = check_program(program);
    const bool possible = can_complete(program, scenario);
    EXPECT_EQ(checked.has_value(), possible) << (checked ? "no problem found" : checked.error().message);
    if (!checked) {
      EXPECT_NE(checked.error().message.find("program.stages["), std::string::npos);
      EXPECT_NE(checked.error().message.find(".order["), std::string::npos);
    }
    ++(possible ? num_legal : num_deadlocked);
  }
  // Both verdicts are met often enough for the comparison to mean something.
  EXPECT_GT(num_legal, 500);
  EXPECT_GT(num_deadlocked, 500);
}

}  // namespace
}  // namespace portolan
