#include <gtest/gtest.h>

#include <map>

#include "plan/legality.h"
#include "plan/lower.h"
#include "plan/memory.h"
#include "plan/recompute_groups.h"
#include "sample_scenarios.h"
#include "small_programs.h"

namespace portolan {
namespace {

Recompute uniform(std::int32_t layers) {
  return {.all_layers = recompute_full(), .per_layer = {}, .layers_per_group = layers};
}

TEST(RecomputeGroups, BackwardRunsEachBlockOnceAndEachGroupForwardBeforeIt) {
  for (std::int32_t count = 1; count <= 7; ++count) {
    for (std::int32_t size = 1; size <= 8; ++size) {
      std::vector<bool> ends;
      for (std::int32_t i = 0; i < count; ++i) {
        ends.push_back(ends_group(i, count, size));
      }
      const std::vector<BackwardStep> steps = backward_steps(ends);
      std::vector<std::size_t> backward, recomputed(ends.size(), 99);
      for (std::size_t at = 0; at < steps.size(); ++at) {
        const BackwardStep& step = steps[at];
        if (step.recompute) {
          EXPECT_EQ(recomputed[step.block], 99U);
          // The input is there: the group's first layer, or the layer before was just recomputed.
          EXPECT_TRUE(step.block % static_cast<std::size_t>(size) == 0 ||
                      recomputed[step.block - 1] + 1 == at);
          recomputed[step.block] = at;
        }
        if (step.backward) {
          EXPECT_EQ(step.recomputed, recomputed[step.block]);
          backward.push_back(step.block);
        }
      }
      ASSERT_EQ(backward.size(), ends.size());
      for (std::size_t i = 0; i < backward.size(); ++i) {
        EXPECT_EQ(backward[i], ends.size() - 1 - i);
      }
    }
  }
}

/// Forward kernels that run again, by layer and kind; communication counts as one of a kind of its own.
std::map<std::pair<std::int32_t, int>, int> recomputed_kernels(const Program& program) {
  std::map<std::pair<std::int32_t, int>, int> kernels;
  for (const Stage& stage : program.stages) {
    for (const Template& t : stage.templates) {
      for (const Op& op : t.ops) {
        if (op.phase == Phase::kRecompute) {
          kernels[{op.layer, -1 - static_cast<int>(op.collective)}] += op.kind == OpKind::kCollective ? 1 : 0;
          for (const Kernel& kernel : op.kernels) {
            ++kernels[{op.layer, static_cast<int>(kernel.kind)}];
          }
        }
      }
    }
  }
  return kernels;
}

// Where whole groups of kernels run again, groups of layers run what single layers do; else what makes the
// outputs of layers that do not end a group comes on top.
TEST(RecomputeGroups, RunAgainWhatFullRecomputationDoes) {
  for (const bool whole : {true, false}) {
    for (const Scenario& small : small_scenarios()) {
      Scenario scenario = small;
      scenario.software.recompute_whole_group.value = whole;
      for (Strategy strategy : legal_strategies(scenario)) {
        if (recompute_name(strategy) != "full" || strategy.microbatch_size != 2 || strategy.zero_stage == 2) {
          continue;
        }
        const auto full = recomputed_kernels(lower(scenario, strategy));
        strategy.recompute = uniform(2);
        ASSERT_FALSE(find_rejection(scenario, strategy));
        const Program program = lower(scenario, strategy);
        const auto checked = check_program(program);
        ASSERT_TRUE(checked) << checked.error().message << " " << short_name(strategy);
        const auto grouped = recomputed_kernels(program);
        if (whole) {
          EXPECT_EQ(grouped, full) << short_name(strategy);
        }
        for (const auto& [kernel, number] : full) {
          EXPECT_GE(grouped.at(kernel), number) << short_name(strategy);
        }
      }
    }
  }
}

TEST(RecomputeGroups, OnlyLayersThatEndNoneMakeTheirOutputAgain) {
  const Scenario scenario = tiny_scenario(1);
  ASSERT_FALSE(scenario.software.recompute_whole_group.value);
  Strategy strategy = sample_strategy(scenario, {});
  strategy.recompute = uniform(1);
  const auto full = recomputed_kernels(lower(scenario, strategy));
  strategy.recompute = uniform(3);  // layers 0 to 2, and 3
  const auto grouped = recomputed_kernels(lower(scenario, strategy));
  for (const auto& [kernel, number] : grouped) {
    const auto& [layer, kind] = kernel;
    const bool makes_output = kind == static_cast<int>(KernelKind::kLinearForward) ||
                              kind == static_cast<int>(KernelKind::kResidualAdd);
    EXPECT_EQ(number - full.at(kernel), layer < 2 && makes_output ? 1 : 0) << layer << " " << kind;
  }
}

/// One stage, one microbatch: what is live at the peak beside what is persistent.
std::int64_t peak_activations(const Scenario& scenario, const Strategy& strategy) {
  return stage_peak_memory(lower(scenario, strategy).stages[0]).activations.value;
}

// Chen et al. 2016, arXiv 1604.06174, section 4.1: an input a group, and what one group makes; of all layers
// one runs backward, and takes what it takes alone.
TEST(RecomputeGroups, KeepAnInputEachAndOneGroupsWorkingSet) {
  for (const bool llama : {false, true}) {
    for (const std::int32_t tensor : {1, 2}) {
      for (const bool divided : {false, true}) {
        Scenario scenario = tiny_scenario(tensor);
        scenario.model = llama ? tiny_llama() : tiny_gpt();
        scenario.model.vocab_size = 4;  // the head's logits are no peak
        scenario.model.num_layers = 12;
        scenario.global_batch = 1;
        Strategy strategy = sample_strategy(scenario, {.tensor = tensor});
        strategy.sequence_parallel = divided && tensor > 1;
        const BlockOptions options = block_options(scenario, strategy);
        strategy.recompute = uniform(1);
        const std::int64_t input = saved_layer_activations(scenario.model, options, recompute_full()).value;
        const std::int64_t whole = saved_layer_activations(scenario.model, options, recompute_none()).value;
        const std::int64_t single = peak_activations(scenario, strategy);
        for (const std::int32_t size : {2, 3, 4, 6, 12}) {
          strategy.recompute = uniform(size);
          EXPECT_EQ(peak_activations(scenario, strategy),
                    single - (12 - 12 / size) * input + (size - 1) * whole)
              << short_name(strategy);
        }
      }
    }
  }
}

}  // namespace
}  // namespace portolan
