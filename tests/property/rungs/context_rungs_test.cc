#include <gtest/gtest.h>

#include "plan/closed_form.h"
#include "tests/property/rungs/legal_grid.h"
#include "tests/property/rungs/rung_scenarios.h"
#include "tests/property/thinned.h"

namespace portolan {
namespace {

/// Sequences of 8,192 tokens through flash attention.
Scenario long_scenario(std::int64_t num_nodes) {
  Scenario scenario = round_scenario(num_nodes);
  scenario.model.max_positions = scenario.sequence_length = 8192;
  scenario.software.flash_attention.value = true;
  scenario.software.flash_skips_masked.value = true;
  scenario.global_batch = 16;
  return scenario;
}

std::vector<Strategy> context_grid(const Scenario& scenario) {
  return LegalGrid(scenario)
      .vary(&Strategy::tensor_parallel, {1, 2})
      .vary(&Strategy::pipeline_parallel, {1, 2})
      .vary(&Strategy::context_parallel, {1, 2, 4, 8, 16})
      .vary(&Strategy::zero_stage, {0, 1, 2, 3})
      .each([](Strategy& s) { s.sequence_parallel = s.tensor_parallel > 1; })
      .fill_gpus()
      .take();
}

TEST(ContextRungs, AllRungsAgree) {
  const Scenario scenario = long_scenario(2);
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  ClosedForm closed_form(scenario, cluster);
  const std::vector<Strategy> grid = context_grid(scenario);
  ASSERT_GT(grid.size(), 20U);
  for (const Strategy& strategy : thinned(grid)) {
    SCOPED_TRACE(short_name(strategy));
    const Estimate closed = closed_form.evaluate(strategy);
    const Estimate folded = simulated(scenario, cluster, strategy, Fidelity::kFolded);
    const Estimate full = simulated(scenario, cluster, strategy, Fidelity::kFull);
    const Estimate whole = simulated(scenario, cluster, strategy, Fidelity::kExplicit);
    const bool shared = strategy.zero_stage >= 2;
    // Found where ranks share gradients: 1.9 %.
    EXPECT_LE(apart(closed, folded), shared                            ? 0.03
                                     : strategy.pipeline_parallel == 1 ? 1e-9
                                                                       : 0.01)
        << "closed " << closed.step_time.value << " folded " << folded.step_time.value;
    EXPECT_LE(apart(folded, full), 1e-4) << folded.step_time.value << " " << full.step_time.value;
    EXPECT_LE(apart(full, whole), 0.01) << full.step_time.value << " " << whole.step_time.value;
    for (std::size_t s = 0; s < folded.stage_memory.size(); ++s) {
      EXPECT_NEAR(closed.stage_memory[s].allocated / folded.stage_memory[s].allocated, 1,
                  shared ? 0.1 : 0.01);
    }
    EXPECT_NEAR(folded.breakdown.total() / folded.step_time, 1, 1e-9);
  }
}

// Twice the ranks for a sequence halve what each keeps of it, and all ranks do as much work as one would.
TEST(ContextRungs, DividesActivationsAndWork) {
  const Scenario scenario = long_scenario(1);
  Scenario one_gpu = scenario;
  one_gpu.num_gpus = 1;
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  Strategy strategy;
  const Estimate whole = simulated(one_gpu, cluster, strategy, Fidelity::kFolded);
  strategy.context_parallel = 8;
  const Estimate divided = simulated(scenario, cluster, strategy, Fidelity::kFolded);
  const double activations = static_cast<double>(whole.stage_memory[0].activations.value) /
                             static_cast<double>(divided.stage_memory[0].activations.value);
  EXPECT_NEAR(activations, 8, 0.3);
  // Kernels of an eighth of the size, each with its launch: no less than an eighth of the time.
  EXPECT_GE(divided.breakdown.compute * 8, whole.breakdown.compute);
  EXPECT_LE(divided.breakdown.compute * 8, whole.breakdown.compute * 1.1);
}

}  // namespace
}  // namespace portolan
