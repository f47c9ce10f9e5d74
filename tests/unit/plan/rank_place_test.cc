#include "plan/rank_place.h"

#include <gtest/gtest.h>

#include <vector>

namespace portolan {
namespace {

/// 2 x 3 replicas along the expert and the data axis, 2 stages; data varies fastest.
Program program_of_twelve() {
  Program program;
  program.degrees = {1, 1, 2, 3, 2};
  program.axis_order = {Axis::kData, Axis::kTensor, Axis::kPipeline, Axis::kExpert, Axis::kContext};
  program.stages.resize(2);
  return program;
}

TEST(RankPlace, StagesAndReplicas) {
  const Program program = program_of_twelve();
  EXPECT_EQ(num_replicas(program), 6);
  std::vector<std::int32_t> stages;
  std::vector<std::int32_t> replicas;
  for (std::int32_t rank = 0; rank < 12; ++rank) {
    stages.push_back(stage_of(program, rank));
    replicas.push_back(replica_of(program, rank));
  }
  EXPECT_EQ(stages, (std::vector<std::int32_t>{0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(replicas, (std::vector<std::int32_t>{0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5}));
}

TEST(RankPlace, PeersAndGroups) {
  const Program program = program_of_twelve();
  Op op;
  op.axes = {Axis::kPipeline};
  op.peer_offset = 1;
  EXPECT_EQ(peer_of(program, 1, op), 4);
  op.axes = {Axis::kData};
  EXPECT_EQ(group_of(program, 4, op), (std::vector<std::int32_t>{3, 4, 5}));
  op.axes = {Axis::kExpert};
  EXPECT_EQ(group_of(program, 4, op), (std::vector<std::int32_t>{4, 10}));
  op.axes = {Axis::kPipeline};
  op.group = GroupKind::kFirstAndLastStage;
  EXPECT_EQ(group_of(program, 4, op), (std::vector<std::int32_t>{1, 4}));
}

TEST(RankPlace, FirstAndLastOfOneStageAreOneRank) {
  Program program;
  program.stages.resize(1);
  Op op;
  op.axes = {Axis::kPipeline};
  op.group = GroupKind::kFirstAndLastStage;
  EXPECT_EQ(group_of(program, 0, op), (std::vector<std::int32_t>{0}));
}

}  // namespace
}  // namespace portolan
