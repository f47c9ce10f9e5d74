#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "plan/lower.h"
#include "plan/memory.h"
#include "sample_scenarios.h"
#include "small_programs.h"

namespace portolan {
namespace {

/// Walks a stage's order list step by step with the set of live buffers of all microbatches, on the device
/// and on the host.
class LiveBuffers {
 public:
  explicit LiveBuffers(const Stage& stage) : stage_(stage) {
    for (const Buffer& buffer : stage.buffers) {
      if (buffer.persistent) {
        add(buffer, 1);
      }
    }
  }

  /// The most that lives on the device; host_peak() then has the same of the host.
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
  std::int64_t host_peak() const { return host_peak_; }

 private:
  void add(const Buffer& buffer, std::int64_t sign) {
    (buffer.on_host ? host_bytes_ : live_bytes_) += sign * buffer.bytes.value;
    peak_ = std::max(peak_, live_bytes_);
    host_peak_ = std::max(host_peak_, host_bytes_);
  }

  using Instance = std::pair<std::size_t, std::int32_t>;  ///< buffer, microbatch

  void step(const Step& at, std::int32_t microbatch, bool compute) {
    for (std::size_t b = 0; b < stage_.buffers.size(); ++b) {
      if (!stage_.buffers[b].persistent && stage_.buffers[b].first == at) {
        EXPECT_TRUE(live_.emplace(b, microbatch).second);
        add(stage_.buffers[b], 1);
      }
    }
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
    add(stage_.buffers[instance.first], -1);
  }

  /// What communication used last lives until a compute op begins that waits for it.
  void free_handed_on(const Op& op) {
    for (const Predecessor& p : op.predecessors) {
      for (auto handed = handed_on_.begin(); handed != handed_on_.end();) {
        const auto [slot, communication] = handed->second;
        const bool same_slot = slot == at_.first && p.kind == Predecessor::Kind::kOp &&
                               static_cast<std::size_t>(p.op) == communication;
        const bool is_copy = op_at(handed->second).kind == OpKind::kCopy;
        const bool earlier = p.kind == Predecessor::Kind::kAllOps && !is_copy &&
                             slot + static_cast<std::size_t>(p.slots_back) == at_.first;
        const bool over = p.kind == Predecessor::Kind::kToHost && is_copy && slot < at_.first &&
                          num_copies_after(handed->second) >= p.op;
        if (same_slot || earlier || over) {
          free(handed->first);
          handed = handed_on_.erase(handed);
        } else {
          ++handed;
        }
      }
    }
  }

  const Op& op_at(const std::pair<std::size_t, std::size_t>& place) const {
    const Slot& slot = stage_.order[place.first];
    return stage_.templates[static_cast<std::size_t>(slot.template_index)].ops[place.second];
  }
  /// Copies to the host after `place` in slots before the present one.
  std::int32_t num_copies_after(std::pair<std::size_t, std::size_t> place) const {
    std::int32_t count = 0;
    const auto num_ops = [&](std::size_t slot) {
      return stage_.templates[static_cast<std::size_t>(stage_.order[slot].template_index)].ops.size();
    };
    for (++place.second; place.first < at_.first; ++place.first, place.second = 0) {
      for (; place.second < num_ops(place.first); ++place.second) {
        count += op_at(place).kind == OpKind::kCopy && op_at(place).to_host ? 1 : 0;
      }
    }
    return count;
  }

  const Stage& stage_;
  std::set<Instance> live_;
  std::pair<std::size_t, std::size_t> at_;  ///< slot and op
  std::vector<std::pair<Instance, std::pair<std::size_t, std::size_t>>> handed_on_;
  std::int64_t live_bytes_ = 0;
  std::int64_t peak_ = 0;
  std::int64_t host_bytes_ = 0;
  std::int64_t host_peak_ = 0;
};

void expect_peak_as_walked(const Program& program, const std::string& what) {
  for (const Stage& stage : program.stages) {
    const StageMemory memory = stage_peak_memory(stage);
    LiveBuffers live(stage);
    EXPECT_EQ(memory.allocated.value, live.peak_of_step()) << what;
    EXPECT_EQ(memory.host.value, live.host_peak()) << what;
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

TEST(MemoryOracle, PeakEqualsAWalkOverLiveBuffersOnDeviceAndHost) {
  for (const SmallPipeline& pipeline : small_pipelines(3, 4)) {
    for (const RecomputeSet& set : {recompute_none(), recompute_full()}) {
      for (const Offload offload : {Offload::kActivations, Offload::kActivationsAndOptimizer}) {
        auto [scenario, strategy] = small_pipeline(pipeline);
        scenario.model.num_layers *= 3;
        scenario.hardware = with_pcie(scenario.hardware);
        strategy.recompute.all_layers = set;
        strategy.offload = offload;
        expect_peak_as_walked(lower(scenario, strategy), short_name(strategy));
      }
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
