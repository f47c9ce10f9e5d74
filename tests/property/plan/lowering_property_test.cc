#include <gtest/gtest.h>

#include <map>
#include <set>
#include <tuple>

#include "plan/lower.h"
#include "plan/slot_turn.h"
#include "sample_scenarios.h"
#include "small_programs.h"

namespace portolan {
namespace {

/// What a send and its receive must agree on: channel, microbatch, ranks of the two stages, bytes.
using Message = std::tuple<std::int32_t, std::int32_t, std::int32_t, std::int32_t, std::int64_t>;

std::map<OpKind, std::multiset<Message>> messages_of(const Program& program) {
  std::map<OpKind, std::multiset<Message>> messages;
  for (std::size_t s = 0; s < program.stages.size(); ++s) {
    for (const Slot& slot : program.stages[s].order) {
      for (const Op& op : program.stages[s].templates[static_cast<std::size_t>(slot.template_index)].ops) {
        const auto here = static_cast<std::int32_t>(s);
        const std::int32_t peer = here + op.peer_offset;
        if (op.kind == OpKind::kSend) {
          messages[op.kind].emplace(op.channel, slot.microbatch, here, peer, op.bytes.value);
        } else if (op.kind == OpKind::kReceive) {
          messages[op.kind].emplace(op.channel, slot.microbatch, peer, here, op.bytes.value);
        }
      }
    }
  }
  return messages;
}

/// The lane's name says which way an op of it goes.
std::string lane_of_direction(const Op& op) {
  const bool sends = op.kind == OpKind::kSend;
  const bool forward = op.phase == Phase::kForward;
  return std::string("pipeline ") + (sends ? "send" : "receive") + (sends == forward ? " next" : " previous");
}

void expect_lanes_fit(const Program& program) {
  for (const Stage& stage : program.stages) {
    for (const Template& t : stage.templates) {
      for (const Op& op : t.ops) {
        const Lane& lane = program.lanes[static_cast<std::size_t>(op.lane)];
        EXPECT_EQ(lane.kind == Lane::Kind::kCompute, op.kind == OpKind::kCompute);
        if (op.kind == OpKind::kSend || op.kind == OpKind::kReceive) {
          EXPECT_EQ(lane.name, lane_of_direction(op));
        }
      }
    }
  }
}

TEST(LoweringProperty, EverySmallPipelineIsRunnableAndItsSendsMatchItsReceives) {
  for (const SmallPipeline& pipeline : small_pipelines(8, 16)) {
    const auto [scenario, strategy] = small_pipeline(pipeline);
    const Program program = lower(scenario, strategy);
    const auto checked = check_program(program);
    ASSERT_TRUE(checked) << checked.error().message;
    auto messages = messages_of(program);
    EXPECT_EQ(messages[OpKind::kSend], messages[OpKind::kReceive]);
    // One message each way over each of the boundaries of virtual stages for each microbatch.
    EXPECT_EQ(std::ssize(messages[OpKind::kSend]),
              2 * (pipeline.num_stages * pipeline.num_chunks - 1) * pipeline.num_microbatches);
    expect_lanes_fit(program);
  }
}

// A send is over when it is received, and compute waits for it: no stage holds more than the sends of two
// passes, and none waits for ever.
TEST(LoweringProperty, NoScheduleDeadlocksWhereSendsBlock) {
  for (const SmallPipeline& pipeline : small_pipelines(8, 16)) {
    auto [scenario, strategy] = small_pipeline(pipeline);
    scenario.software.blocking_sends.value = true;
    const auto checked = check_program(lower(scenario, strategy));
    EXPECT_TRUE(checked) << short_name(strategy) << ": " << checked.error().message;
  }
}

/// How often each gradient of a stage is summed over data-parallel ranks in a step.
std::map<std::int32_t, int> sums_of_gradients(const Stage& stage) {
  std::map<std::int32_t, int> sums;
  const std::vector<SlotTurn> turns = slot_turns(stage);
  for (std::size_t i = 0; i < stage.order.size(); ++i) {
    for (const Op& op : stage.templates[static_cast<std::size_t>(stage.order[i].template_index)].ops) {
      if (op.phase == Phase::kGradientSync && op.axes.contains(Axis::kData) && runs_in(op, turns[i])) {
        for (const std::int32_t buffer : op.buffers) {
          ++sums[buffer];
        }
      }
    }
  }
  return sums;
}

TEST(LoweringProperty, EveryGradientIsInOneBucket) {
  for (const SmallPipeline& pipeline : small_pipelines(4, 8)) {
    auto [scenario, strategy] = small_pipeline(pipeline);
    scenario.num_gpus *= 2;
    scenario.global_batch *= 2;
    scenario.hardware.num_nodes *= 2;
    strategy.data_parallel = 2;
    strategy.gradient_aggregation.overlap = true;
    for (const std::int64_t bucket : {0, 1, 5000, 1'000'000}) {
      strategy.gradient_aggregation.bucket = Bytes(bucket);
      const Program program = lower(scenario, strategy);
      const auto checked = check_program(program);
      ASSERT_TRUE(checked) << checked.error().message;
      for (const Stage& stage : program.stages) {
        const std::map<std::int32_t, int> sums = sums_of_gradients(stage);
        for (std::size_t b = 0; b < stage.buffers.size(); ++b) {
          const Buffer& buffer = stage.buffers[b];
          const bool gradient = buffer.persistent && buffer.kind == BufferKind::kGradient;
          const auto found = sums.find(static_cast<std::int32_t>(b));
          EXPECT_EQ(found == sums.end() ? 0 : found->second, gradient ? 1 : 0)
              << short_name(strategy) << " " << buffer.name;
        }
      }
    }
  }
}

TEST(LoweringProperty, EveryLegalStrategyIsRunnable) {
  for (const Scenario& scenario : small_scenarios()) {
    for (const Strategy& strategy : legal_strategies(scenario)) {
      const Program program = lower(scenario, strategy);
      const auto checked = check_program(program);
      ASSERT_TRUE(checked) << short_name(strategy) << ": " << checked.error().message;
      auto messages = messages_of(program);
      EXPECT_EQ(messages[OpKind::kSend], messages[OpKind::kReceive]) << short_name(strategy);
      EXPECT_EQ(program.num_ranks(), scenario.num_gpus);
    }
  }
}

TEST(LoweringProperty, OpIdsAreDenseAndUniqueAndDoNotSeeTheOrder) {
  for (const SmallPipeline& pipeline : small_pipelines(4, 5)) {
    const auto [scenario, strategy] = small_pipeline(pipeline);
    Program program = lower(scenario, strategy);
    const OpIds ids(program);
    std::set<std::int64_t> seen;
    for (std::size_t s = 0; s < program.stages.size(); ++s) {
      for (std::size_t t = 0; t < program.stages[s].templates.size(); ++t) {
        for (std::size_t o = 0; o < program.stages[s].templates[t].ops.size(); ++o) {
          for (std::int32_t m = 0; m < pipeline.num_microbatches; ++m) {
            seen.insert(ids.id(static_cast<std::int32_t>(s), static_cast<std::int32_t>(t),
                               static_cast<std::int32_t>(o), m));
          }
        }
      }
    }
    std::int64_t num_ops = 0;
    for (const Stage& stage : program.stages) {
      for (const Template& t : stage.templates) {
        num_ops += std::ssize(t.ops) * pipeline.num_microbatches;
      }
    }
    EXPECT_EQ(std::ssize(seen), num_ops);
    EXPECT_EQ(*seen.begin(), 0);
    EXPECT_EQ(*seen.rbegin(), num_ops - 1);
    EXPECT_EQ(ids.num_ids(), num_ops);
    for (Stage& stage : program.stages) {
      std::swap(stage.order.front(), stage.order.back());
    }
    const OpIds shuffled(program);
    EXPECT_EQ(shuffled.num_ids(), num_ops);
    EXPECT_EQ(shuffled.id(0, 1, 0, 0), ids.id(0, 1, 0, 0));
  }
}

TEST(LoweringProperty, HashIsStableAndTellsAllProgramsApart) {
  for (const Scenario& scenario : small_scenarios()) {
    std::map<std::string, Program> program_of_hash;
    const std::vector<Strategy> strategies = legal_strategies(scenario);
    for (std::size_t i = 0; i < strategies.size(); i += 3) {
      const Strategy& strategy = strategies[i];
      Program program = lower(scenario, strategy);
      const std::string hash = program_hash(program);
      EXPECT_EQ(hash, program_hash(lower(scenario, strategy)));
      EXPECT_EQ(hash.size(), 64U);
      // Two strategies may make one program: GPipe and 1F1B of a single microbatch do.
      const auto [found, first] = program_of_hash.try_emplace(hash, program);
      EXPECT_TRUE(first || found->second == program) << short_name(strategy);
    }
    for (auto left = program_of_hash.begin(); left != program_of_hash.end(); ++left) {
      for (auto right = std::next(left); right != program_of_hash.end(); ++right) {
        EXPECT_FALSE(left->second == right->second);
      }
    }
  }
}

TEST(LoweringProperty, SizeDoesNotGrowWithReplicas) {
  Scenario scenario = tiny_scenario(2);
  const Program two = lower(scenario, sample_strategy(scenario, {.data = 2}));
  scenario.num_gpus = 8;
  scenario.global_batch = 64;
  const Program eight = lower(scenario, sample_strategy(scenario, {.data = 8}));
  // The same 8 microbatches a replica; only the loss scale, 1 over the tokens of the global batch, differs.
  ASSERT_EQ(two.stages.size(), 1U);
  ASSERT_EQ(eight.stages.size(), 1U);
  EXPECT_EQ(two.stages[0].buffers, eight.stages[0].buffers);
  EXPECT_EQ(two.stages[0].order, eight.stages[0].order);
  EXPECT_EQ(two.stages[0].templates.size(), eight.stages[0].templates.size());
}

}  // namespace
}  // namespace portolan
