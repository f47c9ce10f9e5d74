#include "plan/memory_timeline.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "plain_runner.h"
#include "plan/lower.h"
#include "plan/memory.h"
#include "plan/reserved_memory.h"
#include "plan/simulate.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

constexpr Bytes mebibytes(std::int64_t n) { return Bytes(n * kMebi); }

/// One kernel each way: `weight` of 30 MiB is persistent, `kept` of 12 lives from forward to backward, `work`
/// of 16 in forward, `gradient` of 18 in backward. The context takes 100.
Program sample_program() {
  Op op;
  op.kernels.resize(1);
  Program program;
  program.num_microbatches = 2;
  Stage& stage = program.stages.emplace_back();
  stage.templates = {{"forward 0", 0, {op}}, {"backward 0", 0, {op}}, {"nothing", 0, {}}};
  const auto buffer = [](std::int64_t size, Step first, Step last) {
    return Buffer{.name = "", .bytes = mebibytes(size), .first = first, .last = last};
  };
  stage.buffers = {buffer(30, {}, {}), buffer(12, {0, 0, 0}, {1, 0, 0}), buffer(16, {0, 0, 0}, {0, 0, 0}),
                   buffer(18, {1, 0, 0}, {1, 0, 0})};
  stage.buffers[0].persistent = true;
  stage.order = {{0, 0}, {0, 1}, {1, 0}, {1, 1}, {2, 0}};
  return program;
}

TEST(MemoryTimeline, ByHand) {
  const Program program = sample_program();
  const OpIds ids(program);
  Timeline timeline;
  for (const auto& [t, microbatch, start] : {std::tuple{0, 0, 0.0}, {0, 1, 1.0}, {1, 0, 2.0}, {1, 1, 4.0}}) {
    const std::int64_t id = ids.id(0, t, 0, microbatch);
    timeline.entries.push_back({id, 0, Seconds(start), Seconds(start + 1 + t)});
    timeline.entries.push_back({id, 1, Seconds(start + 7), Seconds(start + 9)});  // of another rank
  }
  Scenario scenario = tiny_scenario(1);
  scenario.software.framework_memory.value = Bytes(0);
  scenario.software.context_memory.value = mebibytes(100);
  struct Expected {
    double start_s, end_s;
    std::int64_t allocated, caching, expandable, planned;
  };
  // Caching: segments of 30, 12 and 16; the second kept takes 12 of the 16 and its work 16 more; gradient 18.
  // Expandable: 40, of which kept takes the 10 that are left and 2 of 20 more; work fits beside it, and so
  // on. Planned: the most that ever lives, 30 + 2 x 12 + 18.
  const Expected table[] = {{0, 1, 58, 58, 60, 72},
                            {1, 2, 70, 74, 80, 72},
                            {2, 4, 72, 92, 80, 72},
                            {4, 6, 60, 92, 80, 72},
                            {6, 6, 30, 92, 80, 72}};
  const auto rows_with = [&](AllocatorKind allocator) {
    scenario.software.allocator.value = allocator;
    return memory_timeline(scenario, Strategy{}, program, timeline);
  };
  const auto caching = rows_with(AllocatorKind::kCaching);
  const auto expandable = rows_with(AllocatorKind::kExpandableSegments);
  const auto planned = rows_with(AllocatorKind::kNone);
  ASSERT_EQ(caching.size(), std::size(table));
  for (std::size_t i = 0; i < std::size(table); ++i) {
    const Expected& row = table[i];
    const SlotMemory expected{.stage = 0,
                              .slot = static_cast<std::int32_t>(i),
                              .start = Seconds(row.start_s),
                              .end = Seconds(row.end_s),
                              .allocated = mebibytes(row.allocated),
                              .reserved = mebibytes(100 + row.caching)};
    EXPECT_EQ(caching[i], expected) << i;
    EXPECT_EQ(expandable[i].reserved, mebibytes(100 + row.expandable)) << i;
    EXPECT_EQ(planned[i].reserved, mebibytes(100 + row.planned)) << i;
  }
}

// What the estimate says of a stage is the highest of its rows.
TEST(MemoryTimeline, PeaksAreThoseOfTheEstimate) {
  Scenario scenario = gpt3_scenario();
  scenario.num_gpus = 16;
  scenario.global_batch = 16;
  scenario.model.num_layers = 8;
  scenario.software.allocator.value = AllocatorKind::kCaching;
  const Strategy strategy = sample_strategy(scenario, {.tensor = 4, .pipeline = 4});
  const Program program = lower(scenario, strategy);
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const auto simulated = simulate_program({scenario, strategy, program, cluster, Fidelity::kFolded, true},
                                          run_without_contention);
  ASSERT_TRUE(simulated);
  const std::vector<SlotMemory> rows = memory_timeline(scenario, strategy, program, simulated->timeline);
  std::size_t num_slots = 0;
  for (std::size_t s = 0; s < program.stages.size(); ++s) {
    const StageMemory& stage = simulated->estimate.stage_memory[s];
    num_slots += program.stages[s].order.size();
    Bytes allocated, reserved;
    Seconds last;
    for (const SlotMemory& row : rows) {
      if (row.stage != static_cast<std::int32_t>(s)) {
        continue;
      }
      EXPECT_LE(row.start, row.end);
      EXPECT_LE(row.allocated, row.reserved);
      EXPECT_GE(row.reserved, reserved);  // nothing is given back
      allocated = std::max(allocated, row.allocated);
      reserved = row.reserved;
      last = std::max(last, row.end);
    }
    EXPECT_EQ(allocated, stage.allocated) << "stage " << s;
    // Passes that the estimate leaves out may add a little.
    EXPECT_GE(reserved, stage.reserved) << "stage " << s;
    EXPECT_LE(static_cast<double>(reserved.value), 1.04 * static_cast<double>(stage.reserved.value));
    EXPECT_LE(last, simulated->timeline.makespan);
    EXPECT_GT(last, 0.9 * simulated->timeline.makespan);
  }
  EXPECT_EQ(rows.size(), num_slots);
}

}  // namespace
}  // namespace portolan
