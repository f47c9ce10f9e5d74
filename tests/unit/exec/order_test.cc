#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "tiny_training.h"

namespace portolan {
namespace {

/// Ids of one rank's ops as the order list has them.
std::vector<std::int64_t> listed_ids(const Program& program, std::int32_t stage) {
  const OpIds ids(program);
  std::vector<std::int64_t> list;
  for (const Slot& slot : program.stages[static_cast<std::size_t>(stage)].order) {
    const Template& t = program.stages[static_cast<std::size_t>(stage)]
                            .templates[static_cast<std::size_t>(slot.template_index)];
    for (std::size_t op = 0; op < t.ops.size(); ++op) {
      if (t.ops[op].kind == OpKind::kCompute) {
        list.push_back(ids.id(stage, slot.template_index, static_cast<std::int32_t>(op), slot.microbatch));
      }
    }
  }
  return list;
}

/// The same as they ran: by start.
std::vector<std::int64_t> measured_ids(const Timeline& timeline, std::int32_t rank,
                                       const std::vector<std::int64_t>& of_interest) {
  std::vector<TimelineEntry> entries;
  for (const TimelineEntry& entry : timeline.entries) {
    if (entry.rank == rank &&
        std::find(of_interest.begin(), of_interest.end(), entry.op_id) != of_interest.end()) {
      entries.push_back(entry);
    }
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.start < b.start; });
  std::vector<std::int64_t> ids;
  for (const TimelineEntry& entry : entries) {
    ids.push_back(entry.op_id);
  }
  return ids;
}

/// Swaps what two microbatches do, everywhere: a legal order that no schedule gives.
void swap_microbatches(Program& program, std::int32_t a, std::int32_t b) {
  for (Stage& stage : program.stages) {
    for (Slot& slot : stage.order) {
      const Op& first = stage.templates[static_cast<std::size_t>(slot.template_index)].ops.front();
      if (first.phase == Phase::kOptimizer || first.phase == Phase::kGradientSync) {
        continue;
      }
      slot.microbatch = slot.microbatch == a ? b : slot.microbatch == b ? a : slot.microbatch;
    }
  }
}

TEST(Order, AShuffledListIsFollowed) {
  const TokenDataset text = made_up_text(16, 61);
  Strategy strategy = fp32_strategy();
  strategy.pipeline_parallel = 2;
  const Plan plan = tiny_plan(tiny_gpt(), strategy);
  Plan shuffled = plan;
  swap_microbatches(shuffled.program, 0, 5);
  swap_microbatches(shuffled.program, 2, 7);
  ASSERT_NE(shuffled.program, plan.program);
  ASSERT_TRUE(check_program(shuffled.program));
  const RunOptions options{.num_steps = 3, .dataset = &text};
  const RunMeasurement measurement = run_or_fail(shuffled, options);
  for (std::int32_t stage = 0; stage < 2; ++stage) {
    const std::vector<std::int64_t> listed = listed_ids(shuffled.program, stage);
    EXPECT_NE(listed, listed_ids(plan.program, stage));
    EXPECT_EQ(measured_ids(measurement.timeline, stage, listed), listed);
  }
  // The batch is the same: sums in another order.
  const RunMeasurement in_order = run_or_fail(plan, options);
  for (std::size_t i = 0; i < in_order.losses.size(); ++i) {
    EXPECT_NEAR(measurement.losses[i] / in_order.losses[i], 1.0, 1e-5);
  }
}

TEST(Order, EveryOpHasItsTimesWithinTheStep) {
  const TokenDataset text = made_up_text(16, 61);
  Strategy strategy = fp32_strategy();
  strategy.pipeline_parallel = 2;
  const Plan plan = tiny_plan(tiny_gpt(), strategy);
  const RunMeasurement measurement = run_or_fail(plan, {.num_steps = 4, .dataset = &text});
  const OpIds ids(plan.program);
  std::map<std::int64_t, TimelineEntry> by_id;
  for (const TimelineEntry& entry : measurement.timeline.entries) {
    EXPECT_TRUE(by_id.emplace(entry.op_id, entry).second);
    EXPECT_GE(entry.start.value, 0);
    EXPECT_LE(entry.start, entry.end);
    EXPECT_LE(entry.end, measurement.timeline.makespan);
  }
  // A transfer is one interval, seen from both ends.
  const auto find_template = [&](std::size_t stage, OpKind kind, Phase phase) {
    const auto& templates = plan.program.stages[stage].templates;
    for (std::size_t t = 0; t < templates.size(); ++t) {
      for (std::size_t o = 0; o < templates[t].ops.size(); ++o) {
        if (templates[t].ops[o].kind == kind && templates[t].ops[o].phase == phase) {
          return std::pair(static_cast<std::int32_t>(t), static_cast<std::int32_t>(o));
        }
      }
    }
    return std::pair(-1, -1);
  };
  const auto send = find_template(0, OpKind::kSend, Phase::kForward);
  const auto receive = find_template(1, OpKind::kReceive, Phase::kForward);
  for (std::int32_t m = 0; m < plan.program.num_microbatches; ++m) {
    const TimelineEntry& sent = by_id.at(ids.id(0, send.first, send.second, m));
    const TimelineEntry& received = by_id.at(ids.id(1, receive.first, receive.second, m));
    EXPECT_EQ(sent.start, received.start);
    EXPECT_EQ(sent.end, received.end);
    EXPECT_LT(sent.start, sent.end);
  }
}

}  // namespace
}  // namespace portolan
