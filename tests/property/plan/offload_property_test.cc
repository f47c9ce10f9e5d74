// Copies between device and host: every small pipeline, with slow and fast PCIe.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "plain_runner.h"
#include "plan/legality.h"
#include "plan/lower.h"
#include "plan/memory.h"
#include "plan/simulate.h"
#include "sample_scenarios.h"
#include "small_programs.h"

namespace portolan {
namespace {

/// tiny_gpt with three layers a chunk. PCIe takes `slowness` times as long as 20 GB/s would.
ScenarioAndStrategy offloading_pipeline(const SmallPipeline& pipeline, Offload offload, double slowness) {
  ScenarioAndStrategy made = small_pipeline(pipeline);
  made.scenario.model.num_layers *= 3;
  made.scenario.hardware = with_pcie(made.scenario.hardware);
  made.scenario.hardware.pcie->bandwidth.value = BytesPerSecond(20e9 / slowness);
  made.strategy.offload = offload;
  return made;
}

Simulation simulated(const ScenarioAndStrategy& made, const Program& program) {
  const Cluster cluster = Cluster::build(made.scenario.hardware).value();
  auto result = simulate_program({.scenario = made.scenario,
                                  .strategy = made.strategy,
                                  .program = program,
                                  .cluster = cluster,
                                  .fidelity = Fidelity::kFolded,
                                  .with_timeline = true},
                                 run_without_contention);
  EXPECT_TRUE(result) << short_name(made.strategy);
  return *std::move(result);
}

/// An op of a stage that ran.
struct Run {
  std::size_t slot = 0;
  std::int32_t microbatch = 0;
  const Op* op = nullptr;
  Seconds start, end;
};

/// What each stage ran, in the order of its list.
std::vector<std::vector<Run>> runs_of(const Program& program, const Timeline& timeline) {
  const OpIds ids(program);
  std::map<std::int64_t, const TimelineEntry*> entries;
  for (const TimelineEntry& entry : timeline.entries) {
    entries[entry.op_id] = &entry;
  }
  std::vector<std::vector<Run>> stages;
  for (std::size_t s = 0; s < program.stages.size(); ++s) {
    stages.emplace_back();
    const Stage& stage = program.stages[s];
    for (std::size_t i = 0; i < stage.order.size(); ++i) {
      const auto [t, microbatch] = stage.order[i];
      const std::vector<Op>& ops = stage.templates[static_cast<std::size_t>(t)].ops;
      for (std::size_t o = 0; o < ops.size(); ++o) {
        const TimelineEntry& entry =
            *entries.at(ids.id(static_cast<std::int32_t>(s), t, static_cast<std::int32_t>(o), microbatch));
        stages.back().push_back({i, microbatch, &ops[o], entry.start, entry.end});
      }
    }
  }
  return stages;
}

constexpr Seconds kMoment(1e-15);

/// Of one stage: data is where it is used, and two buffers leave at a time.
class CopyCheck {
 public:
  CopyCheck(const Stage& stage, const std::vector<Run>& runs) : stage_(stage), runs_(runs) {}

  void run() {
    for (const Run& run : runs_) {
      if (run.op->kind == OpKind::kCopy) {
        copy(run);
      } else {
        for (const Kernel& kernel : run.op->kernels) {
          for (const Operand& operand : kernel.operands) {
            use(run, operand.tensor);
          }
        }
        layer(run);
      }
    }
    EXPECT_EQ(copied_.size(), fetched_.size());
  }

 private:
  using Instance = std::pair<std::int32_t, std::int32_t>;  ///< buffer, microbatch

  const Buffer& buffer(std::int32_t index) const { return stage_.buffers[static_cast<std::size_t>(index)]; }

  void copy(const Run& run) {
    const std::vector<std::int32_t>& buffers = run.op->buffers;
    for (std::size_t b = 0; b < buffers.size() / 2; ++b) {
      const Instance to{buffers[b], run.microbatch};
      const Instance from{buffers[b + buffers.size() / 2], run.microbatch};
      if (!run.op->to_host) {
        there_[to] = run.end;
      }
      if (buffer(to.first).persistent || buffer(from.first).persistent) {
        continue;  // of the optimizer
      }
      if (run.op->to_host) {
        EXPECT_TRUE(copied_.emplace(to, run.end).second) << "copied twice";
      } else {
        ASSERT_TRUE(copied_.contains(from));
        EXPECT_GE(run.start + kMoment, copied_.at(from)) << "fetched before it is on the host";
        EXPECT_TRUE(fetched_.insert(from).second) << "fetched twice";
      }
    }
    if (run.op->to_host && run.op->layer != Op::kNoLayer) {
      ends_.emplace_back(run.slot, run.end);
    }
  }

  void use(const Run& run, std::int32_t index) {
    const auto found = there_.find({index, run.microbatch});
    if (found != there_.end()) {
      EXPECT_GE(run.start + kMoment, found->second) << "used before it is fetched: " << buffer(index).name;
    }
  }

  /// Compute of a layer begins when all copies that its predecessors made are over but the last one. (What
  /// of the layer's own has left already cannot be of a slot before.)
  void layer(const Run& run) {
    if (run.op->kind != OpKind::kCompute || run.op->layer == Op::kNoLayer ||
        run.op->phase == Phase::kBackwardWeight) {
      return;
    }
    if (ends_.size() >= 2) {
      EXPECT_GE(run.start + kMoment, ends_[ends_.size() - 2].second)
          << "layer " << run.op->layer << " in slot " << run.slot;
    }
  }

  const Stage& stage_;
  const std::vector<Run>& runs_;
  std::map<Instance, Seconds> copied_, there_;
  std::set<Instance> fetched_;
  std::vector<std::pair<std::size_t, Seconds>> ends_;
};

TEST(Offload, DataIsWhereItIsUsedAndTwoBuffersLeaveAtATime) {
  for (const SmallPipeline& pipeline : small_pipelines(3, 4)) {
    for (const RecomputeSet& set : {recompute_none(), recompute_selective(), recompute_full()}) {
      for (const double slowness : {0.1, 1.0, 30.0}) {
        ScenarioAndStrategy made = offloading_pipeline(pipeline, Offload::kActivationsAndOptimizer, slowness);
        made.strategy.recompute.all_layers = set;
        SCOPED_TRACE(short_name(made.strategy));
        ASSERT_FALSE(find_rejection(made.scenario, made.strategy));
        const Program program = lower(made.scenario, made.strategy);
        const auto checked = check_program(program);
        ASSERT_TRUE(checked) << checked.error().message;
        const Simulation simulation = simulated(made, program);
        const auto runs = runs_of(program, simulation.timeline);
        for (std::size_t s = 0; s < runs.size(); ++s) {
          SCOPED_TRACE(s);
          CopyCheck(program.stages[s], runs[s]).run();
        }
        EXPECT_NEAR(simulation.estimate.breakdown.total() / simulation.estimate.step_time, 1, 1e-9);
      }
    }
  }
}

/// Bytes that a microbatch keeps from a forward on beyond it, on the device or on the host.
std::int64_t kept_from_forward(const Stage& stage, bool on_host) {
  std::int64_t bytes = 0;
  for (const Buffer& buffer : stage.buffers) {
    if (!buffer.persistent && buffer.on_host == on_host &&
        buffer.first.template_index != buffer.last.template_index &&
        stage.templates[static_cast<std::size_t>(buffer.first.template_index)].name.starts_with("forward")) {
      bytes += buffer.bytes.value;
    }
  }
  return bytes;
}

// What saved activations are without offload is what goes to the host, and the rest stays: of embedding, head
// and the layer whose backward follows at once.
TEST(Offload, WhatWouldBeSavedGoesToTheHost) {
  for (const SmallPipeline& pipeline : small_pipelines(3, 4)) {
    for (const RecomputeSet& set : {recompute_none(), recompute_selective(), recompute_full()}) {
      ScenarioAndStrategy made = offloading_pipeline(pipeline, Offload::kNone, 1);
      made.strategy.recompute.all_layers = set;
      SCOPED_TRACE(short_name(made.strategy));
      const Program plain = lower(made.scenario, made.strategy);
      made.strategy.offload = Offload::kActivations;
      const Program offloaded = lower(made.scenario, made.strategy);
      for (std::size_t s = 0; s < plain.stages.size(); ++s) {
        const std::int64_t host = kept_from_forward(offloaded.stages[s], true);
        EXPECT_GT(host, 0);
        EXPECT_EQ(host + kept_from_forward(offloaded.stages[s], false),
                  kept_from_forward(plain.stages[s], false));
      }
      // Where another forward comes in between, all of it that layers keep goes.
      if (plain.stages.size() == 3 && pipeline.num_microbatches > 1) {
        EXPECT_EQ(kept_from_forward(offloaded.stages[1], false), 0);
      }
    }
  }
}

std::int64_t largest_layer(const Program& program) {
  std::int64_t largest = 0;
  for (const Stage& stage : program.stages) {
    for (const Template& t : stage.templates) {
      for (const Op& op : t.ops) {
        largest = std::max(largest, op.kind == OpKind::kCopy && op.layer >= 0 ? op.bytes.value : 0);
      }
    }
  }
  return largest;
}

// Never more than without but for the double buffers; and however many microbatches are in flight, no more
// than for two, but for what embedding, head and a layer that stays save.
TEST(Offload, DeviceMemoryIsBoundedByTheDoubleBuffers) {
  for (const SmallPipeline& pipeline : small_pipelines(4, 6)) {
    ScenarioAndStrategy made = offloading_pipeline(pipeline, Offload::kNone, 1);
    SCOPED_TRACE(short_name(made.strategy));
    const Program plain = lower(made.scenario, made.strategy);
    made.strategy.offload = Offload::kActivations;
    const Program offloaded = lower(made.scenario, made.strategy);
    const std::int64_t buffer = largest_layer(offloaded);
    for (std::size_t s = 0; s < plain.stages.size(); ++s) {
      const StageMemory without = stage_peak_memory(plain.stages[s]);
      const StageMemory with = stage_peak_memory(offloaded.stages[s]);
      EXPECT_LE(with.allocated.value, without.allocated.value + 2 * buffer);
      const bool in_the_middle = s > 0 && s + 1 < plain.stages.size();
      const bool splits = pipeline.schedule == ScheduleKind::kZeroBubbleH1;
      if (in_the_middle && !splits && pipeline.num_microbatches > 3 && pipeline.num_chunks == 1) {
        const ScenarioAndStrategy fewer = [&] {
          SmallPipeline three = pipeline;
          three.num_microbatches = 3;
          return offloading_pipeline(three, Offload::kActivations, 1);
        }();
        EXPECT_EQ(with.allocated,
                  stage_peak_memory(lower(fewer.scenario, fewer.strategy).stages[s]).allocated);
      }
      EXPECT_EQ(without.host, Bytes(0));
    }
  }
}

// States of the optimizer are on the host, three blocks of them on the device at most.
TEST(Offload, OptimizerStatesPassThroughTheDevice) {
  for (const std::int32_t zero : {0, 1, 2, 3}) {
    for (const bool llama : {false, true}) {
      Scenario scenario = tiny_scenario(4);
      scenario.hardware = with_pcie(scenario.hardware);
      scenario.software.optimizer_bytes_per_parameter.value = llama ? 12 : 8;
      scenario.model = llama ? tiny_llama() : tiny_gpt();
      Strategy strategy = sample_strategy(scenario, {.data = 4, .microbatch = 4});
      strategy.zero_stage = zero;
      SCOPED_TRACE(short_name(strategy));
      const Program plain = lower(scenario, strategy);
      strategy.offload = Offload::kOptimizer;
      const Program offloaded = lower(scenario, strategy);
      ASSERT_TRUE(check_program(offloaded));
      std::int64_t states = 0;
      for (const Buffer& buffer : plain.stages[0].buffers) {
        states += buffer.kind == BufferKind::kOptimizerState ? buffer.bytes.value : 0;
      }
      std::int64_t to_host = 0, from_host = 0;
      std::vector<std::int64_t> blocks;
      for (const Template& t : offloaded.stages[0].templates) {
        for (const Op& op : t.ops) {
          if (op.kind == OpKind::kCopy) {
            (op.to_host ? to_host : from_host) += op.bytes.value;
            if (op.to_host) {
              blocks.push_back(op.bytes.value);
            }
          }
        }
      }
      EXPECT_EQ(to_host, states);
      EXPECT_EQ(from_host, states);
      const StageMemory without = stage_peak_memory(plain.stages[0]);
      const StageMemory with = stage_peak_memory(offloaded.stages[0]);
      EXPECT_EQ(with.host.value, states);
      // The update alone, beside what persists on the device.
      ASSERT_GT(blocks.size(), 4U);
      std::int64_t three = 0;
      for (std::size_t b = 2; b < blocks.size(); ++b) {
        three = std::max(three, blocks[b] + blocks[b - 1] + blocks[b - 2]);
      }
      Stage update = offloaded.stages[0];
      std::erase_if(update.order, [&](const Slot& slot) {
        return update.templates[static_cast<std::size_t>(slot.template_index)].name != "optimizer";
      });
      ASSERT_EQ(update.order.size(), 1U);
      std::int64_t persistent = 0;
      for (const Buffer& buffer : update.buffers) {
        persistent += buffer.persistent ? buffer.device_bytes().value : 0;
      }
      EXPECT_EQ(stage_peak_memory(update).allocated.value, persistent + three);
      EXPECT_GE(with.allocated.value, without.allocated.value - states);
      EXPECT_LE(with.allocated.value, std::max(without.allocated.value - states, persistent + three));
    }
  }
}

// Copies cost no less than nothing and no less than their bytes over PCIe; without limits and latency they
// cost nothing.
TEST(Offload, TimeIsBoundedByPcie) {
  constexpr double kNoTime = 1e-30;
  for (const SmallPipeline& pipeline : small_pipelines(3, 4)) {
    for (const Offload offload : {Offload::kActivations, Offload::kOptimizer}) {
      Seconds before;
      for (const double slowness : {kNoTime, 0.1, 1.0, 10.0, 1000.0}) {
        ScenarioAndStrategy made = offloading_pipeline(pipeline, Offload::kNone, slowness);
        made.scenario.hardware.pcie->latency.value = Seconds(slowness == kNoTime ? 0 : 1e-6);
        SCOPED_TRACE(short_name(made.strategy));
        const Estimate none = simulated(made, lower(made.scenario, made.strategy)).estimate;
        made.strategy.offload = offload;
        const Program program = lower(made.scenario, made.strategy);
        const Estimate with = simulated(made, program).estimate;
        EXPECT_GE(with.step_time * (1 + 1e-12), none.step_time);
        EXPECT_GE(with.step_time, before);  // monotone in bandwidth
        before = with.step_time * (1 - 1e-12);
        if (slowness == kNoTime) {
          EXPECT_NEAR(with.step_time / none.step_time, 1, 1e-12);
          EXPECT_NEAR(with.breakdown.offload.value, 0, 1e-15);
        }
        for (const Stage& stage : program.stages) {
          std::int64_t to_host = 0;
          for (const Slot& slot : stage.order) {
            for (const Op& op : stage.templates[static_cast<std::size_t>(slot.template_index)].ops) {
              to_host += op.kind == OpKind::kCopy && op.to_host ? op.bytes.value : 0;
            }
          }
          EXPECT_GE(with.step_time.value * (1 + 1e-12), static_cast<double>(to_host) * slowness / 20e9);
        }
      }
    }
  }
}

}  // namespace
}  // namespace portolan
