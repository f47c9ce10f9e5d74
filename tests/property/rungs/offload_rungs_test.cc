#include <gtest/gtest.h>

#include <algorithm>

#include "plan/closed_form.h"
#include "plan/lower.h"
#include "plan/transfer_count.h"
#include "plan/unfold.h"
#include "sim/simulator.h"
#include "tests/property/rungs/legal_grid.h"
#include "tests/property/rungs/rung_scenarios.h"

namespace portolan {
namespace {

/// PCIe of 25 GB/s, or of a part of that.
Scenario offload_scenario(std::int64_t num_nodes, double part = 1) {
  Scenario scenario = round_scenario(num_nodes);
  scenario.hardware.pcie = {
      .bandwidth = {BytesPerSecond(25e9 * part), ""}, .latency = {Seconds(1e-6), ""}, .efficiency = {1, ""}};
  return scenario;
}

std::vector<Strategy> offload_grid(const Scenario& scenario) {
  return LegalGrid(scenario)
      .vary(&Strategy::tensor_parallel, {1, 8})
      .vary(&Strategy::pipeline_parallel, {1, 2, 4})
      .vary(&Strategy::zero_stage, {0, 1})
      .vary(&Strategy::recompute, {Recompute{recompute_selective(), {}}, {recompute_full(), {}}})
      .vary(&Strategy::offload,
            {Offload::kActivations, Offload::kOptimizer, Offload::kActivationsAndOptimizer})
      .each([](Strategy& s) { s.sequence_parallel = s.tensor_parallel > 1; })
      .fill_gpus()
      .take();
}

// In one node nothing but copies uses PCIe.
TEST(OffloadRungs, AllRungsAgreeWhereNothingElseContends) {
  for (const double part : {1.0, 0.1}) {
    const Scenario scenario = offload_scenario(1, part);
    const Cluster cluster = Cluster::build(scenario.hardware).value();
    const std::vector<Strategy> grid = offload_grid(scenario);
    ASSERT_GT(grid.size(), 20U);
    for (const Strategy& strategy : grid) {
      SCOPED_TRACE(short_name(strategy));
      const Estimate folded = simulated(scenario, cluster, strategy, Fidelity::kFolded);
      for (const Fidelity fidelity : {Fidelity::kReplicas, Fidelity::kFull, Fidelity::kExplicit}) {
        const Estimate other = simulated(scenario, cluster, strategy, fidelity);
        EXPECT_LE(apart(folded, other), fidelity == Fidelity::kExplicit ? 5e-3 : 1e-6)
            << fidelity_name(fidelity) << " " << other.step_time.value << " folded "
            << folded.step_time.value;
        EXPECT_NEAR(other.breakdown.total() / other.step_time, 1, 1e-9);
        EXPECT_EQ(other.stage_memory, folded.stage_memory);
      }
    }
  }
}

// Sends and sums between nodes cross the PCIe that copies use: of few devices, where they are rings. The
// copies of one device stand for all at fidelity folded, and meet them there.
TEST(OffloadRungs, CopiesShareThePcieOfTheirDeviceWithTheNetwork) {
  const Scenario scenario = offload_scenario(2, 0.2);
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  for (const Strategy& strategy : offload_grid(scenario)) {
    SCOPED_TRACE(short_name(strategy));
    const Estimate folded = simulated(scenario, cluster, strategy, Fidelity::kFolded);
    const Estimate full = simulated(scenario, cluster, strategy, Fidelity::kFull);
    EXPECT_LE(apart(folded, full), 1e-4) << folded.step_time.value << " " << full.step_time.value;
  }
  // Sums of gradients beside the first states that come: both take longer than either alone.
  Strategy strategy;
  strategy.data_parallel = 16;
  const auto step = [&](Offload offload) {
    strategy.offload = offload;
    return simulated(scenario, cluster, strategy, Fidelity::kFull);
  };
  const Estimate none = step(Offload::kNone), optimizer = step(Offload::kOptimizer);
  EXPECT_GT(optimizer.breakdown.exposed_data, none.breakdown.exposed_data * 1.01);
}

TEST(OffloadRungs, ClosedFormFollows) {
  for (const double part : {1.0, 0.1}) {
    const Scenario scenario = offload_scenario(1, part);
    const Cluster cluster = Cluster::build(scenario.hardware).value();
    ClosedForm closed_form(scenario, cluster);
    for (const Strategy& strategy : offload_grid(scenario)) {
      SCOPED_TRACE(short_name(strategy));
      const Estimate closed = closed_form.evaluate(strategy);
      const Estimate folded = simulated(scenario, cluster, strategy, Fidelity::kFolded);
      EXPECT_LE(apart(closed, folded), 0.05)
          << "closed form " << closed.step_time.value << " folded " << folded.step_time.value;
      for (std::size_t s = 0; s < folded.stage_memory.size(); ++s) {
        EXPECT_NEAR(closed.stage_memory[s].allocated / folded.stage_memory[s].allocated, 1, 0.1)
            << "stage " << s;
      }
      EXPECT_NEAR(closed.breakdown.total() / closed.step_time, 1, 1e-9);
    }
  }
}

TEST(OffloadRungs, TransfersAreCountedWithoutMakingThem) {
  const Scenario scenario = offload_scenario(2);
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  for (const Strategy& strategy : offload_grid(scenario)) {
    SCOPED_TRACE(short_name(strategy));
    const Program program = lower(scenario, strategy);
    const KernelCost cost(scenario.hardware, strategy.precision);
    for (const Fidelity fidelity : {Fidelity::kReplicas, Fidelity::kExplicit}) {
      const CostedProgram costed = coalesce(fold(program, cost, cluster, fidelity));
      const UnfoldedProgram unfolded = unfold(costed, cluster).value();
      const std::vector<Activity>& made = unfolded.graph.activities;
      EXPECT_EQ(count_transfers(costed, cluster),
                std::count_if(made.begin(), made.end(), [](const Activity& activity) {
                  return activity.kind == Activity::Kind::kTransfer && activity.bytes > 0;
                }));
    }
  }
}

}  // namespace
}  // namespace portolan
