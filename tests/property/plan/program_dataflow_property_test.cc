#include <gtest/gtest.h>

#include <set>

#include "plan/lower.h"
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
        for (const std::int32_t buffer : op.buffers) {
          EXPECT_TRUE(op.kind == OpKind::kReceive || holds(buffer, slot.microbatch))
              << name(buffer) << " is communicated before it is made";
          made_.insert({buffer, slot.microbatch});
        }
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
        scenario.model = llama ? tiny_llama() : tiny_gpt();
        scenario.software.dropout.value = !llama;
        scenario.software.recompute_whole_group.value = whole_group;
        scenario.software.scatter_gather_pipeline.value = true;
        Strategy strategy = sample_strategy(scenario, {.tensor = 2, .pipeline = 2, .microbatch = 8});
        strategy.recompute.all_layers = RecomputeSet(bits);
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

/// Whether instance `later` of a unit waits for `earlier`, directly or through others.
bool waits_for(const UnfoldedProgram& unfolded, const Unit& unit, std::int32_t later, std::int32_t earlier) {
  std::set<std::int32_t> seen;
  std::vector<std::int32_t> open{later};
  while (!open.empty()) {
    const std::int32_t instance = open.back();
    open.pop_back();
    if (instance == earlier) {
      return true;
    }
    if (instance < earlier || !seen.insert(instance).second) {
      continue;
    }
    const OpInstance& at = unit.instances[static_cast<std::size_t>(instance)];
    for (std::int32_t i = at.predecessors_begin; i < at.predecessors_end; ++i) {
      open.push_back(unfolded.predecessors[static_cast<std::size_t>(i)]);
    }
  }
  return false;
}

/// What a microbatch's buffers are handed to communication for must be over when their memory is used again:
/// by the next slot that has buffers of its own.
void expect_handed_on_buffers_safe(const Stage& stage, const UnfoldedProgram& unfolded, const Unit& unit) {
  const auto op_at = [&](std::int32_t i) -> const Op& {
    const OpInstance& instance = unit.instances[static_cast<std::size_t>(i)];
    const Slot& slot = stage.order[static_cast<std::size_t>(instance.slot)];
    return stage.templates[static_cast<std::size_t>(slot.template_index)]
        .ops[static_cast<std::size_t>(instance.op)];
  };
  const auto count = static_cast<std::int32_t>(unit.instances.size());
  for (std::int32_t i = 0; i < count; ++i) {
    if (op_at(i).kind == OpKind::kCompute) {
      continue;
    }
    std::int32_t next = i + 1;
    while (next < count && op_at(next).kind != OpKind::kCompute) {
      ++next;
    }
    if (next < count && op_at(next).phase != Phase::kOptimizer) {
      EXPECT_TRUE(waits_for(unfolded, unit, next, i))
          << op_kind_name(op_at(i).kind) << " in slot " << unit.instances[static_cast<std::size_t>(i)].slot;
    }
  }
}

TEST(ProgramDataflow, WithBlockingSendsComputeBeginsWhenCommunicationBeforeItIsOver) {
  for (const Scenario& scenario : small_scenarios()) {
    if (!scenario.software.blocking_sends.value) {
      continue;
    }
    const Cluster cluster = Cluster::build(scenario.hardware).value();
    const KernelCost cost(scenario.hardware, scenario.precision);
    for (const Strategy& strategy : legal_strategies(scenario)) {
      if (strategy.microbatch_size != 2) {
        continue;
      }
      const Program program = lower(scenario, strategy);
      const CostedProgram costed = fold(program, cost, cluster, Fidelity::kExplicit);
      const auto unfolded = unfold(costed, cluster);
      ASSERT_TRUE(unfolded);
      for (const Unit& unit : unfolded->units) {
        expect_handed_on_buffers_safe(program.stages[static_cast<std::size_t>(unit.stage)], *unfolded, unit);
      }
    }
  }
}

}  // namespace
}  // namespace portolan
