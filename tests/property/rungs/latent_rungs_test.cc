#include <gtest/gtest.h>

#include <algorithm>

#include "plan/closed_form.h"
#include "plan/lower.h"
#include "plan/simulate.h"
#include "sim/simulator.h"
#include "tests/property/rungs/legal_grid.h"
#include "tests/property/rungs/rung_scenarios.h"
#include "tests/property/thinned.h"

namespace portolan {
namespace {

/// 16 layers with latent attention, the first 2 dense, of the others one in 8 experts a token.
Scenario latent_scenario(std::int64_t num_nodes) {
  Scenario scenario = round_scenario(num_nodes);
  scenario.model.name = "latent-16";
  scenario.model.normalization = Normalization::kRmsNorm;
  scenario.model.activation = Activation::kSwiGlu;
  scenario.model.position = PositionEncoding::kRotary;
  scenario.model.linear_bias = false;
  scenario.model.latent = LatentAttention{.q_lora_rank = 1024,
                                          .kv_lora_rank = 512,
                                          .qk_nope_head_dim = 128,
                                          .qk_rope_head_dim = 64,
                                          .v_head_dim = 128};
  scenario.model.experts = MixtureOfExperts{
      .num_experts = 8, .experts_per_token = 1, .expert_ffn_size = 4096, .first_dense_layers = 2};
  scenario.software.flash_attention.value = true;
  scenario.software.tensor_overlap.value = true;
  scenario.software.zero_bubble_schedule.value = true;
  return scenario;
}

std::vector<Strategy> latent_grid(const Scenario& scenario) {
  std::vector<Strategy> grid =
      LegalGrid(scenario)
          .vary(&Strategy::tensor_parallel, {1, 2})
          .vary(&Strategy::sequence_parallel, {false, true})
          .vary(&Strategy::context_parallel, {1, 2})
          .vary(&Strategy::pipeline_parallel, {1, 4})
          .vary(&Strategy::recompute,
                {Recompute{recompute_none(), {}}, {recompute_selective(), {}}, {recompute_full(), {}}})
          .vary(&Strategy::schedule, {ScheduleKind::kOneFOneB, ScheduleKind::kZeroBubbleH1})
          .fill_gpus()
          .each([](Strategy& s) {
            s.expert_parallel = std::min(2, s.data_parallel);
            s.zero_stage = 1;
          })
          .take();
  std::erase_if(grid, [](const Strategy& s) { return s.sequence_parallel && s.tensor_parallel == 1; });
  return grid;
}

TEST(LatentRungs, ClosedFormAndFoldedAgree) {
  const Scenario scenario = latent_scenario(2);
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  ClosedForm closed_form(scenario, cluster);
  const std::vector<Strategy> grid = latent_grid(scenario);
  ASSERT_EQ(grid.size(), 3U * 2 * 2 * 3 * 2);
  for (const Strategy& strategy : grid) {
    SCOPED_TRACE(short_name(strategy));
    const Estimate closed = closed_form.evaluate(strategy);
    const Estimate folded = simulated(scenario, cluster, strategy, Fidelity::kFolded);
    EXPECT_LE(apart(closed, folded), 0.03)
        << "closed " << closed.step_time.value << " folded " << folded.step_time.value;
    for (std::size_t s = 0; s < folded.stage_memory.size(); ++s) {
      EXPECT_NEAR(closed.stage_memory[s].allocated / folded.stage_memory[s].allocated, 1, 0.03)
          << "stage " << s;
    }
    EXPECT_NEAR(folded.breakdown.total() / folded.step_time, 1, 1e-9);
  }
}

TEST(LatentRungs, FoldedFullAndExplicitAgree) {
  const Scenario scenario = latent_scenario(2);
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  for (const Strategy& strategy : thinned(latent_grid(scenario))) {
    if (strategy.recompute.all_layers != recompute_selective()) {
      continue;
    }
    SCOPED_TRACE(short_name(strategy));
    const Estimate folded = simulated(scenario, cluster, strategy, Fidelity::kFolded);
    const Estimate full = simulated(scenario, cluster, strategy, Fidelity::kFull);
    const Estimate whole = simulated(scenario, cluster, strategy, Fidelity::kExplicit);
    EXPECT_LE(apart(folded, full), 0.01) << folded.step_time.value << " " << full.step_time.value;
    EXPECT_LE(apart(full, whole), 0.01) << full.step_time.value << " " << whole.step_time.value;
  }
}

}  // namespace
}  // namespace portolan
