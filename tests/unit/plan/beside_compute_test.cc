#include "plan/beside_compute.h"

#include <gtest/gtest.h>

namespace portolan {
namespace {

constexpr double kShare = 0.2;

TEST(CollectivesBeside, CostAShareOfTheTimeThatTheyRunBesideCompute) {
  CollectivesBeside beside(kShare);
  EXPECT_EQ(beside.run(Seconds(8)), Seconds(0)) << "none is under way";
  beside.begin(0, Seconds(5));
  EXPECT_DOUBLE_EQ(beside.run(Seconds(8)).value, 1) << "5 s of 9";
  EXPECT_EQ(beside.run(Seconds(8)), Seconds(0)) << "it is over";
}

TEST(CollectivesBeside, OutlastShortCompute) {
  CollectivesBeside beside(kShare);
  beside.begin(0, Seconds(25));
  EXPECT_DOUBLE_EQ(beside.run(Seconds(8)).value, 2) << "10 s, all of them beside it";
  EXPECT_DOUBLE_EQ(beside.run(Seconds(8)).value, 2) << "20 s";
  EXPECT_DOUBLE_EQ(beside.run(Seconds(8)).value, 1) << "25 s";
  EXPECT_DOUBLE_EQ(CollectivesBeside::slowdown(Seconds(8), Seconds(25), kShare).value, 2);
  EXPECT_DOUBLE_EQ(CollectivesBeside::slowdown(Seconds(8), Seconds(5), kShare).value, 1);
}

TEST(CollectivesBeside, AreOverOnceComputeHasWaited) {
  CollectivesBeside beside(kShare);
  beside.begin(3, Seconds(5));
  beside.begin(4, Seconds(5));
  beside.begin(7, Seconds(1));
  beside.end(4);
  EXPECT_DOUBLE_EQ(beside.run(Seconds(8)).value, 0.2) << "the third is under way";
  beside.end(7);
  EXPECT_EQ(beside.run(Seconds(8)), Seconds(0));
}

TEST(CollectivesBeside, WithoutAShareCostNothing) {
  CollectivesBeside beside(0);
  beside.begin(0, Seconds(5));
  EXPECT_EQ(beside.run(Seconds(8)), Seconds(0));
}

}  // namespace
}  // namespace portolan
