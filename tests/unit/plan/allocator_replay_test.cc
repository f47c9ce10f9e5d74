#include "plan/allocator_replay.h"

#include <gtest/gtest.h>

#include "plan/reserved_memory.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

Buffer buffer(const char* name, std::int64_t mebibytes, Step first, Step last) {
  return {.name = name,
          .kind = BufferKind::kActivation,
          .bytes = Bytes(mebibytes * kMebi),
          .first = first,
          .last = last};
}

/// Forward and backward of two kernels each. `weight` is persistent, `kept` lives from the first kernel of
/// forward to the last of backward, `work` in forward's first kernel, `gradient` in backward's.
Stage sample_stage(std::int64_t work, std::int64_t gradient) {
  Op op;
  op.kernels.resize(2);
  Stage stage;
  stage.templates = {{"forward 0", 0, {op}}, {"backward 0", 0, {op}}};
  stage.buffers = {buffer("weight", 30, {}, {}), buffer("kept", 12, {0, 0, 0}, {1, 0, 1}),
                   buffer("work", work, {0, 0, 0}, {0, 0, 0}),
                   buffer("gradient", gradient, {1, 0, 0}, {1, 0, 0})};
  stage.buffers[0].persistent = true;
  return stage;
}

Bytes steps(const Stage& stage, bool expandable = false) {
  return replay_steps(stage, template_walks(stage), {.expandable_segments = expandable, .limit = {}});
}

Bytes fast(const Stage& stage, bool expandable = false) {
  const std::vector<TemplateWalk> walks = template_walks(stage);
  return replay_stages({{&stage, &walks, live_peak(stage, walks)}},
                       {.expandable_segments = expandable, .limit = {}})
      .front();
}

TEST(AllocatorReplay, ByHand) {
  struct Row {
    const char* what;
    std::int64_t work, gradient;
    std::vector<Slot> order;
    std::int64_t reserved_mi, expandable_mi;
  };
  const std::vector<Slot> one = {{0, 0}, {1, 0}};
  const std::vector<Slot> two = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
  // Segments: weight 30, kept 12 each, work and gradient as large as they are. With expandable segments one
  // that grows by 20: 30 of weight take 40, of which 10 are left.
  const std::vector<Row> table = {
      {"gradient takes the block of work", 16, 16, one, 30 + 12 + 16, 60},
      {"gradient is larger than any block", 16, 18, one, 30 + 12 + 16 + 18, 60},
      {"the second kept takes the block of work, whose next one needs another", 16, 16, two,
       30 + 12 + 16 + 16, 80},
      {"the second kept does not fit in it, the second work does", 10, 10, two, 30 + 2 * 12 + 10, 80},
  };
  for (const Row& row : table) {
    Stage stage = sample_stage(row.work, row.gradient);
    stage.order = row.order;
    EXPECT_EQ(steps(stage).value / kMebi, row.reserved_mi) << row.what;
    EXPECT_EQ(fast(stage).value / kMebi, row.reserved_mi) << row.what;
    EXPECT_EQ(steps(stage, true).value / kMebi, row.expandable_mi) << row.what;
    EXPECT_EQ(fast(stage, true).value / kMebi, row.expandable_mi) << row.what;
  }
}

}  // namespace
}  // namespace portolan
