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
    for (const Slot& slot : stage_.order) {
      const auto& ops = stage_.templates[static_cast<std::size_t>(slot.template_index)].ops;
      for (std::size_t o = 0; o < ops.size(); ++o) {
        if (ops[o].kind == OpKind::kCompute) {
          free_handed_on();
        }
        const std::size_t steps = std::max<std::size_t>(ops[o].kernels.size(), 1);
        for (std::size_t k = 0; k < steps; ++k) {
          step({slot.template_index, static_cast<std::int32_t>(o), static_cast<std::int32_t>(k)},
               slot.microbatch, ops[o].kind == OpKind::kCompute);
        }
      }
    }
    free_handed_on();
    EXPECT_TRUE(live_.empty());
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
        compute ? free({b, microbatch}) : handed_on_.push_back({b, microbatch});
      }
    }
  }

  void free(const Instance& instance) {
    EXPECT_EQ(live_.erase(instance), 1U);
    live_bytes_ -= stage_.buffers[instance.first].bytes.value;
  }

  /// What communication used last lives until the next compute op begins.
  void free_handed_on() {
    for (const Instance& instance : handed_on_) {
      free(instance);
    }
    handed_on_.clear();
  }

  const Stage& stage_;
  std::set<Instance> live_;
  std::vector<Instance> handed_on_;
  std::int64_t live_bytes_ = 0;
  std::int64_t peak_ = 0;
};

void expect_peak_as_walked(const Program& program, const std::string& what) {
  for (const Stage& stage : program.stages) {
    const StageMemory memory = stage_peak_memory(stage, Bytes(1000));
    EXPECT_EQ(memory.allocated.value, LiveBuffers(stage).peak_of_step()) << what;
    EXPECT_EQ(memory.reserved, memory.allocated + Bytes(1000));
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
