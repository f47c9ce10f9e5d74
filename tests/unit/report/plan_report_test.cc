#include "report/plan_report.h"

#include <gtest/gtest.h>

namespace portolan {
namespace {

Estimate estimate(double compute_s, double bubble_s) {
  Estimate e;
  e.breakdown.compute = Seconds(compute_s);
  e.breakdown.bubble = Seconds(bubble_s);
  e.step_time = e.breakdown.total();
  return e;
}

TEST(PlanReport, SaysInWhichTermsACandidateLoses) {
  EXPECT_EQ(loss_against(estimate(10, 3), estimate(10, 1)), "+2.000 s: bubble +2.000 s");
  EXPECT_EQ(loss_against(estimate(12, 2), estimate(10, 1)), "+3.000 s: compute +2.000 s, bubble +1.000 s");
  EXPECT_EQ(loss_against(estimate(9, 3), estimate(10, 1)), "+1.000 s: bubble +2.000 s")
      << "a term that gains is not a loss";
  EXPECT_EQ(loss_against(estimate(10, 1), estimate(10, 1)), "equal time");
}

TEST(PlanReport, BreakdownSharesAddUp) {
  EXPECT_EQ(breakdown_table(estimate(15, 5), 80),
            "term        time   share\n"
            "-------  -------  ------\n"
            "compute  15.00 s   75.0%\n"
            "bubble   5.000 s   25.0%\n"
            "step     20.00 s  100.0%\n");
}

TEST(PlanReport, ShowsWhatIsOnTheHostWhereSomethingIs) {
  Estimate e;
  e.stage_memory.resize(2);
  e.stage_memory[0].reserved = e.stage_memory[0].activations = Bytes(2 * kGibi);
  const std::string without = memory_table(e, 80);
  EXPECT_EQ(without.find("on host"), std::string::npos);
  e.stage_memory[1].host = Bytes(3 * kGibi);
  EXPECT_EQ(memory_table(e, 80),
            "stage  reserved  parameters  gradients  optimizer  activations  on host\n"
            "-----  --------  ----------  ---------  ---------  -----------  -------\n"
            "    0   2.0 GiB         0 B        0 B        0 B      2.0 GiB      0 B\n"
            "    1       0 B         0 B        0 B        0 B          0 B  3.0 GiB\n");
}

}  // namespace
}  // namespace portolan
