#include "plan/beside_compute.h"

#include <gtest/gtest.h>

#include <cmath>

#include "plain_runner.h"
#include "plan/closed_form.h"
#include "plan/legality.h"
#include "plan/lower.h"
#include "plan/simulate.h"
#include "sample_scenarios.h"

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

Scenario gpt_on_a_hundred_multiprocessors() {
  Scenario scenario = gpt_of_eight_layers();
  scenario.hardware.device.multiprocessors.value = 100;
  return scenario;
}

Estimate folded(const Scenario& scenario, const Strategy& strategy) {
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const Program program = lower(scenario, strategy);
  return simulate_program({scenario, strategy, program, cluster, Fidelity::kFolded, false},
                          run_without_contention)
      ->estimate;
}

double compute_with(Scenario scenario, const Strategy& strategy, std::int64_t channels) {
  scenario.software.communicator_channels.value = channels;
  return folded(scenario, strategy).breakdown.compute.value;
}

// Collectives beside compute slow it down by the multiprocessors that their channels take, in proportion;
// those that compute waits for do not.
TEST(CollectivesBesideCompute, TakeMultiprocessors) {
  Scenario scenario = gpt_on_a_hundred_multiprocessors();
  const Strategy tensor = sample_strategy(scenario, {.tensor = 8, .data = 4});
  Strategy sharded = sample_strategy(scenario, {.data = 32});
  sharded.zero_stage = 3;
  for (const Strategy& strategy : {tensor, sharded}) {
    SCOPED_TRACE(short_name(strategy));
    const double alone = compute_with(scenario, strategy, 0);
    const double ten = compute_with(scenario, strategy, 10);
    EXPECT_GT(ten, alone);
    // But for compute that the collectives outlast.
    EXPECT_NEAR(compute_with(scenario, strategy, 20) - alone, 2 * (ten - alone), 1e-3 * (ten - alone));
    EXPECT_EQ(compute_with(scenario, strategy, 100), compute_with(scenario, strategy, 1000)) << "all of them";
  }
  scenario.software.tensor_overlap.value = false;
  EXPECT_EQ(compute_with(scenario, tensor, 10), compute_with(scenario, tensor, 0));
  scenario.software.gather_prefetch.value = 0;
  sharded.zero_stage = 3;
  EXPECT_GT(compute_with(scenario, sharded, 10), compute_with(scenario, sharded, 0))
      << "reductions are beside backward still";
}

// Buckets of gradients are summed beside the last microbatch's backward only: that one is slower by no more
// than their share of the device, however long the sums take.
TEST(CollectivesBesideCompute, SumsOfBucketsSlowTheLastBackward) {
  Scenario scenario = gpt_on_a_hundred_multiprocessors();
  Strategy overlapped = sample_strategy(scenario, {.tensor = 8, .data = 4});
  overlapped.gradient_aggregation.overlap = true;
  overlapped.gradient_aggregation.bucket = Bytes(1);
  const double alone = compute_with(scenario, overlapped, 0);
  const double num_passes = num_microbatches(scenario, overlapped);
  const double backward = alone * 2 / 3 / num_passes;
  const double with_sums = compute_with(scenario, overlapped, 20);
  EXPECT_GT(with_sums, alone);
  EXPECT_LE(with_sums, alone + backward * 20 / (100 - 20) * 1.01);
  scenario.hardware.nic.bandwidth.value = scenario.hardware.nic.bandwidth.value / 100;
  EXPECT_LE(compute_with(scenario, overlapped, 20), alone + backward * 20 / (100 - 20) * 1.01);
}

TEST(CollectivesBesideCompute, TheClosedFormSeesWhatTheyTake) {
  Scenario scenario = gpt_on_a_hundred_multiprocessors();
  scenario.software.communicator_channels.value = 25;
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const auto apart = [&](const Strategy& strategy) {
    const double by_folded = folded(scenario, strategy).step_time.value;
    return std::abs(ClosedForm(scenario, cluster).evaluate(strategy).step_time.value / by_folded - 1);
  };
  for (const Degrees& degrees :
       {Degrees{.tensor = 8, .data = 4}, Degrees{.tensor = 4, .pipeline = 2, .data = 4}}) {
    EXPECT_LE(apart(sample_strategy(scenario, degrees)), 1e-6);
  }
  for (const std::int32_t zero : {2, 3}) {
    Strategy sharded = sample_strategy(scenario, {.data = 32});
    sharded.zero_stage = zero;
    EXPECT_LE(apart(sharded), 0.02) << zero;  // the gather that a pass begins with has nothing beside it
  }
}

}  // namespace
}  // namespace portolan
