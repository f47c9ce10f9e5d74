#include "topology/placement.h"

#include <gtest/gtest.h>

namespace portolan {
namespace {

TEST(Placement, VariesTheFirstAxisFastest) {
  // Degrees by Axis: tensor 8, context 1, expert 1, data 8, pipeline 8.
  const Placement placement({8, 1, 1, 8, 8},
                            {Axis::kTensor, Axis::kContext, Axis::kExpert, Axis::kData, Axis::kPipeline});
  EXPECT_EQ(placement.num_ranks(), 512);
  EXPECT_EQ(placement.degree(Axis::kData), 8);
  EXPECT_EQ(placement.rank_of({0, 0, 0, 0, 0}), 0);
  EXPECT_EQ(placement.rank_of({7, 0, 0, 0, 0}), 7);
  EXPECT_EQ(placement.rank_of({0, 0, 0, 1, 0}), 8);
  EXPECT_EQ(placement.rank_of({0, 0, 0, 0, 1}), 64);
  EXPECT_EQ(placement.rank_of({3, 0, 0, 2, 1}), 83);
  EXPECT_EQ(placement.coordinates_of(83), (Coordinates{3, 0, 0, 2, 1}));
  EXPECT_EQ(placement.device_of({3, 0, 0, 2, 1}), 83);
}

TEST(Placement, FollowsTheOrderGiven) {
  const Placement placement({2, 1, 1, 3, 4},
                            {Axis::kPipeline, Axis::kData, Axis::kTensor, Axis::kContext, Axis::kExpert});
  EXPECT_EQ(placement.rank_of({0, 0, 0, 0, 1}), 1);
  EXPECT_EQ(placement.rank_of({0, 0, 0, 1, 0}), 4);
  EXPECT_EQ(placement.rank_of({1, 0, 0, 0, 0}), 12);
}

}  // namespace
}  // namespace portolan
