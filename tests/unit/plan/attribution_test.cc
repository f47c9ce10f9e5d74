#include "plan/attribution.h"

#include <gtest/gtest.h>

#include <cmath>

namespace portolan {
namespace {

/// Five steps around `middle`, 1 % apart: a median deviation of 1 %.
std::vector<Seconds> around(double middle) {
  return {Seconds(0.98 * middle), Seconds(0.99 * middle), Seconds(middle), Seconds(1.01 * middle),
          Seconds(1.02 * middle)};
}

KindSamples sample(const std::string& kind, double predicted, double measured,
                   const std::string& phase = "") {
  return {.kind = kind,
          .axis = "",
          .phase = phase,
          .predicted = Seconds(predicted),
          .measured = around(measured)};
}

TEST(Attribution, ErrorOfTheMedianByHand) {
  // Of the 10 distances, 4 are 0.01; Qn takes the third: 2.2219 x 0.844 x 0.01. Times 1.2533 / sqrt(5).
  EXPECT_NEAR(error_of_median(around(1))->value, 0.010511, 1e-6);
  EXPECT_EQ(error_of_median({Seconds(1)}), std::nullopt);
}

TEST(Attribution, NamesWhatIsBeyondNoiseTheLargestFirst) {
  // 5 (1 + 2 / 5) = 7 errors of 0.83 %: above 5.8 % of the measured time.
  const auto named = attribute_divergence(
      {sample("gemm", 6, 6.6), sample("norm", 1, 1.05), sample("softmax", 1, 2)}, Seconds(10), Seconds(11.6));
  ASSERT_EQ(named.size(), 2U);
  EXPECT_EQ(named[0].kind, "softmax");
  EXPECT_NEAR(named[0].excess.value, 1, 1e-12);
  EXPECT_NEAR(*named[0].excess_pct, 100, 1e-9);
  EXPECT_NEAR(*named[0].share_pct, 100 / 1.6, 1e-9);
  EXPECT_EQ(named[1].kind, "gemm");
  EXPECT_NEAR(*named[1].excess_pct, 10, 1e-9);
}

TEST(Attribution, PhasesOfAKindAreOneKind) {
  const auto named = attribute_divergence(
      {sample("gemm", 3, 3, "forward"), sample("gemm", 3, 3.9, "backward"), sample("norm", 1, 1, "forward")},
      Seconds(10), Seconds(10.9));
  ASSERT_EQ(named.size(), 1U);
  EXPECT_EQ(named[0].phases, "backward");
  EXPECT_NEAR(named[0].excess.value, 0.9, 1e-12);
}

TEST(Attribution, APhaseIsNamedWhereTheKindAsAWholeIsNot) {
  // Of the kind together 0.01 of 6 are too much.
  const auto named =
      attribute_divergence({sample("gemm", 3, 2.5, "forward"), sample("gemm", 3, 3.51, "backward"),
                            sample("norm", 1, 1, "forward")},
                           Seconds(10), Seconds(10.01));
  ASSERT_EQ(named.size(), 1U);
  EXPECT_EQ(named[0].phases, "backward");
  EXPECT_NEAR(named[0].excess.value, 0.51, 1e-12);
  EXPECT_NEAR(*named[0].excess_pct, 17, 1e-9);
}

TEST(Attribution, FasterThanPredictedIsNamedToo) {
  const auto named = attribute_divergence({sample("gemm", 3, 2)}, Seconds(10), Seconds(9));
  ASSERT_EQ(named.size(), 1U);
  EXPECT_NEAR(named[0].excess.value, -1, 1e-12);
  EXPECT_NEAR(*named[0].share_pct, 100, 1e-9);
}

TEST(Attribution, WaitIsWhatCommunicationDoesNotExplain) {
  KindSamples sum = sample("all_reduce", 1, 2);
  sum.axis = "tensor";
  KindSamples wait = sample(kWaitKind, 1, 2);
  EXPECT_EQ(attribute_divergence({wait, sum}, Seconds(10), Seconds(11)).size(), 1U);
  wait = sample(kWaitKind, 1, 3);
  const auto named = attribute_divergence({wait, sum}, Seconds(10), Seconds(12));
  ASSERT_EQ(named.size(), 2U);
  EXPECT_NEAR(named[0].excess.value, 1, 1e-12);
  EXPECT_NEAR(named[1].excess.value, 1, 1e-12);
}

TEST(Attribution, SaysNothingWithoutSteps) {
  KindSamples once = sample("gemm", 3, 9);
  once.measured.resize(kLeastStepsToAttribute - 1);
  EXPECT_TRUE(attribute_divergence({once}, Seconds(10), Seconds(16)).empty());
  KindSamples with_peers = sample("send_receive", 1, 5);
  with_peers.includes_waiting = true;
  EXPECT_TRUE(attribute_divergence({with_peers}, Seconds(10), Seconds(14)).empty());
}

TEST(Attribution, SamplesThatAgreeByChanceAreNotTrusted) {
  // Each other kind scatters by 1 %; this one's five samples are equal, 5 % off.
  KindSamples equal = sample("optimizer", 1, 1);
  equal.measured.assign(5, Seconds(1.05));
  EXPECT_TRUE(
      attribute_divergence({sample("gemm", 3, 3), sample("norm", 3, 3), equal}, Seconds(10), Seconds(10.05))
          .empty());
}

}  // namespace
}  // namespace portolan
