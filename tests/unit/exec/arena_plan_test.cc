#include "exec/arena_plan.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "base/random.h"
#include "plan/memory.h"

namespace portolan {
namespace {

/// One template of `num_ops` ops, each compute of one kernel or a send, and buffers with random lives among
/// them.
Stage random_stage(std::uint64_t seed, std::int32_t num_ops, std::int32_t num_buffers,
                   std::int32_t num_microbatches) {
  RandomStream random(seed);
  Stage stage;
  Template t;
  for (std::int32_t o = 0; o < num_ops; ++o) {
    Op op;
    op.kind = random.next_below(4) == 0 ? OpKind::kSend : OpKind::kCompute;
    op.kernels.resize(op.kind == OpKind::kCompute ? 1 : 0);
    t.ops.push_back(op);
  }
  stage.templates.push_back(t);
  for (std::int32_t b = 0; b < num_buffers; ++b) {
    Buffer buffer;
    buffer.bytes = Bytes(static_cast<std::int64_t>(1 + random.next_below(1000)));
    buffer.persistent = random.next_below(5) == 0;
    const auto ops = static_cast<std::uint64_t>(num_ops);
    buffer.first = {0, static_cast<std::int32_t>(random.next_below(ops)), 0};
    buffer.last = {0, static_cast<std::int32_t>(random.next_below(ops)), 0};
    if (buffer.last.op < buffer.first.op) {
      std::swap(buffer.first, buffer.last);
    }
    stage.buffers.push_back(buffer);
  }
  for (std::int32_t m = 0; m < num_microbatches; ++m) {
    stage.order.push_back({0, m});
  }
  return stage;
}

/// Lives as the executor sees them, by brute force: marks every byte that a live buffer holds at every
/// moment.
void expect_no_overlap(const Stage& stage, const ArenaPlan& plan) {
  std::vector<int> owner(static_cast<std::size_t>(plan.size.value), 0);
  const auto mark = [&](std::int32_t buffer, std::int32_t microbatch, int from, int to) {
    const std::int64_t offset = plan.offset(buffer, microbatch);
    ASSERT_EQ(offset % ArenaPlan::kAlignment, 0);
    for (std::int64_t i = 0; i < stage.buffers[static_cast<std::size_t>(buffer)].bytes.value; ++i) {
      ASSERT_EQ(owner[static_cast<std::size_t>(offset + i)], from) << "buffer " << buffer;
      owner[static_cast<std::size_t>(offset + i)] = to;
    }
  };
  const auto lifetimes = buffer_lifetimes(stage);
  for (std::size_t b = 0; b < stage.buffers.size(); ++b) {
    if (stage.buffers[b].persistent) {
      mark(static_cast<std::int32_t>(b), 0, 0, -1);
    }
  }
  std::vector<std::pair<std::int32_t, std::int32_t>> held;
  for (const Slot& slot : stage.order) {
    for (std::size_t o = 0; o < stage.templates[0].ops.size(); ++o) {
      const bool compute = stage.templates[0].ops[o].kind == OpKind::kCompute;
      if (compute) {
        for (const auto& [buffer, microbatch] : held) {
          mark(buffer, microbatch, buffer + 1, 0);
        }
        held.clear();
      }
      for (const std::int32_t buffer : lifetimes[0][o][0].begin) {
        mark(buffer, slot.microbatch, 0, buffer + 1);
      }
      for (const std::int32_t buffer : lifetimes[0][o][0].end) {
        if (compute) {
          mark(buffer, slot.microbatch, buffer + 1, 0);
        } else {
          held.emplace_back(buffer, slot.microbatch);
        }
      }
    }
  }
}

TEST(ArenaPlan, BuffersThatLiveAtOneTimeNeverOverlap) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const auto num_microbatches = static_cast<std::int32_t>(1 + seed % 3);
    const Stage stage = random_stage(seed, static_cast<std::int32_t>(2 + seed % 9),
                                     static_cast<std::int32_t>(seed % 17), num_microbatches);
    const ArenaPlan plan = plan_arena(stage, num_microbatches);
    EXPECT_GE(plan.size, plan.live);
    EXPECT_EQ(plan.live, stage_peak_memory(stage).allocated) << "seed " << seed;
    expect_no_overlap(stage, plan);
    if (HasFatalFailure()) {
      FAIL() << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace portolan
