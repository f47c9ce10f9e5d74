#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "plan/lower.h"
#include "plan/memory.h"
#include "plan/unfold.h"
#include "sample_scenarios.h"
#include "small_programs.h"

namespace portolan {
namespace {

using Instance = std::pair<std::int32_t, std::int32_t>;  ///< buffer, microbatch

/// Runs a stage's order list and says what is read before it is made.
class StageDataflow {
 public:
  explicit StageDataflow(const Stage& stage) : stage_(stage) {}

  void run() {
    for (const Slot& slot : stage_.order) {
      for (const Op& op : stage_.templates[static_cast<std::size_t>(slot.template_index)].ops) {
        for (const Kernel& kernel : op.kernels) {
          run_kernel(kernel, slot.microbatch);
        }
        run_communication(op, slot.microbatch);
      }
    }
  }

 private:
  void run_kernel(const Kernel& kernel, std::int32_t microbatch) {
    for (const Operand& operand : kernel.operands) {
      EXPECT_TRUE(operand.access == Access::kWrite || holds(operand.tensor, microbatch))
          << kernel_name(kernel.kind) << " reads " << name(operand.tensor) << " before it is made";
    }
    for (const Operand& operand : kernel.operands) {
      made_.insert({operand.tensor, microbatch});
    }
  }

  /// Not in place: as many destinations, then their sources.
  void run_communication(const Op& op, std::int32_t microbatch) {
    const auto is_held = [&](std::int32_t buffer) { return holds(buffer, microbatch); };
    std::vector<std::int32_t> payload = op.buffers;  // without what the communication goes through
    std::erase_if(payload, [&](std::int32_t buffer) {
      return stage_.buffers[static_cast<std::size_t>(buffer)].kind == BufferKind::kCommunication;
    });
    const auto begin = payload.begin(), end = payload.end();
    const bool in_place =
        op.kind != OpKind::kCopy && (payload.size() % 2 == 1 || std::all_of(begin, end, is_held));
    for (auto buffer = in_place ? begin : begin + (end - begin) / 2; buffer != end; ++buffer) {
      EXPECT_TRUE(op.kind == OpKind::kReceive || is_held(*buffer))
          << name(*buffer) << " is communicated before it is made";
    }
    for (const std::int32_t buffer : op.buffers) {
      made_.insert({buffer, microbatch});
    }
  }

  bool holds(std::int32_t buffer, std::int32_t microbatch) const {
    return stage_.buffers[static_cast<std::size_t>(buffer)].persistent ||
           made_.contains({buffer, microbatch});
  }
  const std::string& name(std::int32_t buffer) const {
    return stage_.buffers[static_cast<std::size_t>(buffer)].name;
  }

  const Stage& stage_;
  std::set<Instance> made_;
};

TEST(ProgramDataflow, EverySetOfRecomputedGroupsReadsOnlyWhatIsThere) {
  for (unsigned bits = 0; bits < 1U << (kNumKernelGroups - 1); ++bits) {
    for (const bool whole_group : {false, true}) {
      for (const bool llama : {false, true}) {
        Scenario scenario = tiny_scenario(4);
        scenario.hardware = with_pcie(scenario.hardware);
        scenario.model = llama ? tiny_llama() : tiny_gpt();
        scenario.software.dropout.value = !llama;
        scenario.software.recompute_whole_group.value = whole_group;
        scenario.software.scatter_gather_pipeline.value = true;
        Strategy strategy = sample_strategy(scenario, {.tensor = 2, .pipeline = 2, .microbatch = 8});
        strategy.recompute.all_layers = RecomputeSet(bits);
        // Every other set also with what is saved on the host.
        strategy.offload = bits % 2 == (llama ? 1U : 0U) ? Offload::kActivationsAndOptimizer : Offload::kNone;
        const Program program = lower(scenario, strategy);
        const auto checked = check_program(program);
        ASSERT_TRUE(checked) << checked.error().message;
        for (const Stage& stage : program.stages) {
          StageDataflow(stage).run();
        }
      }
    }
  }
}

// Each chunk of each stage recomputes its own first layers, whatever the number of each.
TEST(ProgramDataflow, TheFirstLayersOfEachChunkAreRecomputed) {
  Scenario scenario = tiny_scenario(2);
  scenario.model.num_layers = 8;
  Strategy strategy = sample_strategy(scenario, {.pipeline = 2});
  strategy.schedule = ScheduleKind::kInterleaved;
  strategy.virtual_stages = 2;
  strategy.layers_per_stage = {1, 3, 4, 0};
  for (std::int32_t first = 0; first <= 4; ++first) {
    strategy.recompute = recompute_of(RecomputeBlock{first}, strategy.layers_per_stage);
    const Program program = lower(scenario, strategy);
    ASSERT_TRUE(check_program(program));
    std::int32_t begin = 0;
    for (std::int32_t k = 0; k < 4; ++k) {
      const std::int32_t count = strategy.layers_per_stage[static_cast<std::size_t>(k)];
      std::set<std::int32_t> expected;
      for (std::int32_t i = 0; i < std::min(first, count); ++i) {
        expected.insert(begin + i);
      }
      begin += count;
      std::set<std::int32_t> found;
      for (const Template& t : program.stages[static_cast<std::size_t>(k % 2)].templates) {
        for (const Op& op : t.ops) {
          if (t.chunk == k / 2 && op.phase == Phase::kRecompute) {
            found.insert(op.layer);
          }
        }
      }
      EXPECT_EQ(found, expected) << "block:" << first << ", virtual stage " << k;
    }
  }
}

TEST(ProgramDataflow, LayersThatAreRecomputedTogetherReadOnlyWhatIsThere) {
  for (const Scenario& small : small_scenarios()) {
    for (Strategy strategy : legal_strategies(small)) {
      if (strategy.microbatch_size != 2 || recompute_name(strategy) != "full") {
        continue;
      }
      for (const std::int32_t size : {2, 3}) {
        strategy.recompute.layers_per_group = size;
        const Program program = lower(small, strategy);
        const auto checked = check_program(program);
        ASSERT_TRUE(checked) << checked.error().message << " " << short_name(strategy);
        for (const Stage& stage : program.stages) {
          StageDataflow(stage).run();
        }
      }
    }
  }
}

TEST(ProgramDataflow, LayersMayDifferInWhatTheyRecompute) {
  const Scenario scenario = tiny_scenario(2);
  Strategy strategy = sample_strategy(scenario, {.pipeline = 2});
  strategy.recompute.per_layer = {recompute_full(), recompute_none(), recompute_selective(),
                                  recompute_full()};
  const Program program = lower(scenario, strategy);
  ASSERT_TRUE(check_program(program));
  for (const Stage& stage : program.stages) {
    StageDataflow(stage).run();
  }
  std::set<std::int32_t> recomputed;
  for (const Stage& stage : program.stages) {
    for (const Template& t : stage.templates) {
      for (const Op& op : t.ops) {
        if (op.phase == Phase::kRecompute) {
          recomputed.insert(op.layer);
        }
      }
    }
  }
  EXPECT_EQ(recomputed, (std::set<std::int32_t>{0, 2, 3}));
}

/// Slots until a compute op waits for communication op `op` of slot `slot`; none: 0.
std::size_t slots_until_awaited(const Stage& stage, std::size_t slot, std::int32_t op) {
  for (std::size_t later = slot; later < stage.order.size(); ++later) {
    const Template& t = stage.templates[static_cast<std::size_t>(stage.order[later].template_index)];
    for (const Op& candidate : t.ops) {
      if (candidate.kind == OpKind::kCompute &&
          waits_for_communication(candidate, static_cast<std::int32_t>(later - slot), op)) {
        return later - slot + 1;
      }
    }
  }
  return 0;
}

/// Forward and backward passes after `slot`, those of weight gradients apart.
std::int64_t passes_after(const Stage& stage, std::size_t slot) {
  return std::count_if(
      stage.order.begin() + static_cast<std::ptrdiff_t>(slot) + 1, stage.order.end(), [&](const Slot& s) {
        const std::string& name = stage.templates[static_cast<std::size_t>(s.template_index)].name;
        return name.starts_with("forward") || name.starts_with("backward ") ||
               name.starts_with("backward_input");
      });
}

// What a pass hands to communication is given back at most three slots later: the buffers of a stage are
// bounded, however many microbatches there are.
TEST(ProgramDataflow, ComputeSoonWaitsForTheSendsBeforeIt) {
  for (const Scenario& scenario : small_scenarios()) {
    for (const Strategy& strategy : legal_strategies(scenario)) {
      if (strategy.microbatch_size != 2) {
        continue;
      }
      const Program program = lower(scenario, strategy);
      for (const Stage& stage : program.stages) {
        for (std::size_t i = 0; i < stage.order.size(); ++i) {
          const auto& ops = stage.templates[static_cast<std::size_t>(stage.order[i].template_index)].ops;
          for (std::size_t o = 0; o < ops.size(); ++o) {
            const std::size_t slots = slots_until_awaited(stage, i, static_cast<std::int32_t>(o));
            if (ops[o].kind == OpKind::kSend && passes_after(stage, i) > 2) {
              EXPECT_TRUE(slots >= 2 && slots <= 4) << short_name(strategy) << ", slot " << i;
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace portolan
