#include "plan/placed_times.h"

#include <gtest/gtest.h>

namespace portolan {
namespace {

/// 2 x 2 x 1 x 4 x 2 ranks: tensor 1 apart, context 2, data 4, pipeline 16.
Program placed_program() {
  Program program;
  program.degrees = {2, 2, 1, 4, 2};
  return program;
}

TEST(AxesOfGroup, ByRanks) {
  const Program program = placed_program();
  const auto axes = [&](std::vector<std::int32_t> ranks, std::int32_t size = 0) {
    return axes_of_group(program, {std::move(ranks), size, ""});
  };
  EXPECT_EQ(axes({0, 1}), "tensor");
  EXPECT_EQ(axes({5, 7}), "context");
  EXPECT_EQ(axes({0, 4, 8, 12}, 4), "data");
  EXPECT_EQ(axes({0, 8}, 2), "data");  // a part of the axis
  EXPECT_EQ(axes({3, 19}), "pipeline");
  EXPECT_EQ(axes({0, 2, 4, 14}, 8), "context+data");  // some of them are listed
  EXPECT_EQ(axes({0, 2, 4, 14}, 5), "");              // not how many differ so
  EXPECT_EQ(axes({0, 32}), "");                       // no rank of the plan
}

TEST(AxesOfGroup, ByDescriptionAndSize) {
  const Program program = placed_program();
  const auto axes = [&](const std::string& description, std::int32_t size) {
    return axes_of_group(program, {{}, size, description});
  };
  EXPECT_EQ(axes("TENSOR_MODEL_PARALLEL_GROUP", 2), "tensor");
  EXPECT_EQ(axes("mesh_dp_shard", 0), "data");
  EXPECT_EQ(axes("DATA_PARALLEL_GROUP_WITH_CP", 8), "");  // two axes
  EXPECT_EQ(axes("default_pg", 4), "data");               // no other axis is 4 long
  EXPECT_EQ(axes("default_pg", 2), "");
  EXPECT_EQ(axes("", 0), "");
}

TEST(TimeKind, EveryKernelAndKindHasAName) {
  for (int kind = 0; kind < kNumKernelKinds; ++kind) {
    if (!is_communication(static_cast<KernelKind>(kind))) {
      const TimeKind time_kind = time_kind_of(static_cast<KernelKind>(kind));
      EXPECT_FALSE(is_communication(time_kind));
      EXPECT_NE(time_kind, TimeKind::kUnknown);
      EXPECT_FALSE(time_kind_name(time_kind).empty());
    }
  }
}

}  // namespace
}  // namespace portolan
