#include "tests/property/rungs/rung_scenarios.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <utility>

#include "plan/lower.h"
#include "sim/simulator.h"
#include "tests/property/rungs/legal_grid.h"
#include "tests/property/thinned.h"

namespace portolan {

Hardware round_dgx(std::int64_t num_nodes) {
  Hardware h;
  h.name = "round-dgx";
  h.num_nodes = num_nodes;
  h.gpus_per_node = 8;
  h.nics_per_node = 8;
  h.nodes_per_pod = num_nodes > 32 ? 32 : num_nodes;
  h.spines = num_nodes > 32 ? 16 : 0;
  h.device.memory.value = Bytes(80 * kGibi);
  for (Precision precision : {Precision::kFp32, Precision::kBf16}) {
    h.device.peak[precision] = {FlopsPerSecond(300e12), ""};
  }
  h.device.memory_bandwidth.value = BytesPerSecond(2e12);
  h.device.gemm_efficiency.value = 0.5;
  h.device.attention_gemm_efficiency.value = 0.4;
  h.device.memory_efficiency.value = 0.5;
  h.device.kernel_launch.value = Seconds(5e-6);
  h.nvlink = {
      .bandwidth = {BytesPerSecond(300e9), ""}, .latency = {Seconds(1e-6), ""}, .efficiency = {0.8, ""}};
  h.nic = {.bandwidth = {BytesPerSecond(25e9), ""}, .latency = {Seconds(2e-6), ""}, .efficiency = {0.96, ""}};
  h.trunk = {
      .bandwidth = {BytesPerSecond(50e9), ""}, .latency = {Seconds(1e-6), ""}, .efficiency = {0.96, ""}};
  h.collective_base.value = Seconds(20e-6);
  h.intra_node_step.value = Seconds(3e-6);
  h.inter_node_step.value = Seconds(6e-6);
  return h;
}

Scenario round_scenario(std::int64_t num_nodes) {
  Scenario s;
  s.name = "round";
  s.model = {.name = "gpt-16",
             .num_layers = 16,
             .hidden_size = 4096,
             .num_heads = 32,
             .num_kv_heads = 32,
             .ffn_size = 16384,
             .vocab_size = 51200,
             .max_positions = 2048};
  s.hardware = round_dgx(num_nodes);
  s.software.name = "features";
  s.software.vocab_padding.value = 128;
  s.software.dropout.value = true;
  s.sequence_length = 2048;
  s.num_gpus = num_nodes * 8;
  s.global_batch = s.num_gpus * 4;
  s.precision = Precision::kBf16;
  return s;
}

namespace {

/// One in seven of the schedules and ZeRO stages that the rest of the grid leaves out; recomputation changes
/// from one to the next.
std::vector<Strategy> other_schedules(const Scenario& scenario) {
  const std::array<Recompute, 4> recomputations = {
      Recompute{.all_layers = recompute_none(), .per_layer = {}},
      Recompute{.all_layers = recompute_selective(), .per_layer = {}},
      Recompute{.all_layers = recompute_full(), .per_layer = {}},
      Recompute{.all_layers = recompute_full(), .per_layer = {}, .layers_per_group = 2}};
  std::vector<Strategy> grid;
  std::size_t count = 0;
  for (Strategy& s : LegalGrid(scenario)
                         .vary(&Strategy::tensor_parallel, {1, 2, 8})
                         .vary(&Strategy::pipeline_parallel, {1, 2, 4, 8})
                         .vary(&Strategy::schedule, {ScheduleKind::kOneFOneB, ScheduleKind::kGPipe,
                                                     ScheduleKind::kInterleaved, ScheduleKind::kZeroBubbleH1})
                         .vary(&Strategy::zero_stage, {0, 1, 2, 3})
                         .each([](Strategy& each) {
                           each.sequence_parallel = each.tensor_parallel > 1;
                           each.virtual_stages = each.schedule == ScheduleKind::kInterleaved ? 2 : 1;
                         })
                         .fill_gpus()
                         .take()) {
    const bool is_new = s.zero_stage > 1 || s.schedule == ScheduleKind::kInterleaved ||
                        s.schedule == ScheduleKind::kZeroBubbleH1;
    s.recompute = recomputations[count % recomputations.size()];
    if (is_new && !find_rejection(scenario, s) && (count++ * 5) % 7 == 0) {
      grid.push_back(s);
    }
  }
  return grid;
}

}  // namespace

std::vector<Strategy> strategy_grid(const Scenario& scenario) {
  std::vector<Strategy> grid =
      LegalGrid(scenario)
          .vary(&Strategy::tensor_parallel, {1, 2, 8})
          .vary(&Strategy::pipeline_parallel, {1, 2, 4, 8, 16})
          .vary(&Strategy::microbatch_size, {std::int64_t{1}, std::int64_t{4}})
          .vary(&Strategy::schedule, {ScheduleKind::kOneFOneB, ScheduleKind::kGPipe})
          .vary(&Strategy::zero_stage, {0, 1})
          .vary(&Strategy::axis_order,
                {Strategy{}.axis_order,
                 {Axis::kTensor, Axis::kContext, Axis::kExpert, Axis::kPipeline, Axis::kData}})
          .each([](Strategy& s) { s.recompute.all_layers = recompute_full(); })
          .fill_gpus()
          .take();
  const std::vector<Strategy> others = other_schedules(scenario);
  grid.insert(grid.end(), others.begin(), others.end());
  return thinned(std::move(grid));
}

double apart(const Estimate& a, const Estimate& b) { return std::abs(a.step_time / b.step_time - 1); }

Estimate simulated(const Scenario& scenario, const Cluster& cluster, const Strategy& strategy,
                   Fidelity fidelity) {
  const Program program = lower(scenario, strategy);
  const auto result = simulate_program({.scenario = scenario,
                                        .strategy = strategy,
                                        .program = program,
                                        .cluster = cluster,
                                        .fidelity = fidelity},
                                       simulate);
  EXPECT_TRUE(result) << short_name(strategy) << ": " << (result ? "" : result.error().message);
  return result ? result->estimate : Estimate{};
}

}  // namespace portolan
