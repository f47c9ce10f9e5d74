#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "plan/lower.h"
#include "plan/memory.h"
#include "sample_scenarios.h"
#include "small_programs.h"

namespace portolan {
namespace {

/// Walks a stage's order list step by step with the set of live buffers of all microbatches.
class LiveBuffers {
 public:
  explicit LiveBuffers(const Stage& stage) : stage_(stage) {
    for (const Buffer& buffer : stage.buffers) {
      live_bytes_ += buffer.persistent ? buffer.bytes.value : 0;
    }
    peak_ = live_bytes_;
  }

  std::int64_t peak_of_step() {
    for (std::size_t i = 0; i < stage_.order.size(); ++i) {
      const Slot& slot = stage_.order[i];
      const auto& ops = stage_.templates[static_cast<std::size_t>(slot.template_index)].ops;
      for (std::size_t o = 0; o < ops.size(); ++o) {
        at_ = {i, o};
        if (ops[o].kind == OpKind::kCompute) {
          free_handed_on(ops[o]);
        }
        const std::size_t steps = std::max<std::size_t>(ops[o].kernels.size(), 1);
        for (std::size_t k = 0; k < steps; ++k) {
          step({slot.template_index, static_cast<std::int32_t>(o), static_cast<std::int32_t>(k)},
               slot.microbatch, ops[o].kind == OpKind::kCompute);
        }
      }
    }
    EXPECT_EQ(live_.size(), handed_on_.size());  // sends that nothing waits for before the step ends
    return peak_;
  }

 private:
  using Instance = std::pair<std::size_t, std::int32_t>;  ///< buffer, microbatch

  void step(const Step& at, std::int32_t microbatch, bool compute) {
    for (std::size_t b = 0; b < stage_.buffers.size(); ++b) {
      if (!stage_.buffers[b].persistent && stage_.buffers[b].first == at) {
        EXPECT_TRUE(live_.emplace(b, microbatch).second);
        live_bytes_ += stage_.buffers[b].bytes.value;
      }
    }
    peak_ = std::max(peak_, live_bytes_);
    for (std::size_t b = 0; b < stage_.buffers.size(); ++b) {
      if (!stage_.buffers[b].persistent && stage_.buffers[b].last == at) {
        if (compute) {
          free({b, microbatch});
        } else {
          handed_on_.push_back({{b, microbatch}, at_});
        }
      }
    }
  }

  void free(const Instance& instance) {
    EXPECT_EQ(live_.erase(instance), 1U);
    live_bytes_ -= stage_.buffers[instance.first].bytes.value;
  }

  /// What communication used last lives until a compute op begins that waits for it.
  void free_handed_on(const Op& op) {
    for (const Predecessor& p : op.predecessors) {
      for (auto handed = handed_on_.begin(); handed != handed_on_.end();) {
        const auto [slot, communication] = handed->second;
        const bool same_slot = slot == at_.first && p.kind == Predecessor::Kind::kOp &&
                               static_cast<std::size_t>(p.op) == communication;
        const bool earlier = p.kind == Predecessor::Kind::kAllOps &&
                             slot + static_cast<std::size_t>(p.slots_back) == at_.first;
        if (same_slot || earlier) {
          free(handed->first);
          handed = handed_on_.erase(handed);
        } else {
          ++handed;
        }
      }
    }
  }

  const Stage& stage_;
  std::set<Instance> live_;
  std::pair<std::size_t, std::size_t> at_;  ///< slot and op
  std::vector<std::pair<Instance, std::pair<std::size_t, std::size_t>>> handed_on_;
  std::int64_t live_bytes_ = 0;
  std::int64_t peak_ = 0;
};

void expect_peak_as_walked(const Program& program, const std::string& what) {
  for (const Stage& stage : program.stages) {
    const StageMemory memory = stage_peak_memory(stage);
    EXPECT_EQ(memory.allocated.value, LiveBuffers(stage).peak_of_step()) << what;
    EXPECT_EQ(memory.reserved, memory.allocated);
    EXPECT_EQ(memory.parameters + memory.gradients + memory.optimizer_states + memory.activations +
                  memory.workspace + memory.communication,
              memory.allocated);
  }
}

TEST(MemoryOracle, PeakEqualsAWalkOverLiveBuffersInEverySmallPipelineAndRecomputation) {
  for (const SmallPipeline& pipeline : small_pipelines(4, 6)) {
    for (const RecomputeSet& set : {recompute_none(), recompute_selective(), recompute_full()}) {
      auto [scenario, strategy] = small_pipeline(pipeline);
      strategy.recompute.all_layers = set;
      expect_peak_as_walked(lower(scenario, strategy), short_name(strategy));
    }
    auto [scenario, strategy] = small_pipeline(pipeline);
    scenario.model.num_layers *= 3;
    strategy.recompute = {.all_layers = recompute_full(), .per_layer = {}, .layers_per_group = 2};
    expect_peak_as_walked(lower(scenario, strategy), short_name(strategy));
  }
}

TEST(MemoryOracle, PeakEqualsAWalkOverLiveBuffersInEveryLegalStrategy) {
  for (const Scenario& scenario : small_scenarios()) {
    for (const Strategy& strategy : legal_strategies(scenario)) {
      if (strategy.microbatch_size <= 2 || strategy.pipeline_parallel == 1) {
        expect_peak_as_walked(lower(scenario, strategy), short_name(strategy));
      }
    }
  }
}

TEST(MemoryOracle, AGroupAloneIsRecomputedWithoutChangingWhatLayersBelowKeep) {
  for (int group = 0; group + 1 < kNumKernelGroups; ++group) {
    auto [scenario, strategy] = small_pipeline({2, 3});
    strategy.recompute.all_layers.set(static_cast<std::size_t>(group));
    const Program program = lower(scenario, strategy);
    ASSERT_TRUE(check_program(program));
    expect_peak_as_walked(program, short_name(strategy));
  }
}

}  // namespace
}  // namespace portolan
