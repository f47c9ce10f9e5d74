#include "tests/property/rungs/rung_scenarios.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <utility>

#include "plan/legality.h"
#include "plan/lower.h"
#include "sim/simulator.h"
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
  for (std::int32_t tp : {1, 2, 8}) {
    for (std::int32_t pp : {1, 2, 4, 8}) {
      for (ScheduleKind schedule : {ScheduleKind::kOneFOneB, ScheduleKind::kGPipe, ScheduleKind::kInterleaved,
                                    ScheduleKind::kZeroBubbleH1}) {
        for (std::int32_t zero : {0, 1, 2, 3}) {
          Strategy s;
          s.tensor_parallel = tp;
          s.sequence_parallel = tp > 1;
          s.pipeline_parallel = pp;
          s.data_parallel = static_cast<std::int32_t>(scenario.num_gpus / (tp * pp));
          s.schedule = schedule;
          s.virtual_stages = schedule == ScheduleKind::kInterleaved ? 2 : 1;
          s.zero_stage = zero;
          s.recompute = recomputations[count % recomputations.size()];
          const bool is_new =
              zero > 1 || schedule == ScheduleKind::kInterleaved || schedule == ScheduleKind::kZeroBubbleH1;
          if (is_new && s.data_parallel >= 1 && !find_rejection(scenario, s) && (count++ * 5) % 7 == 0) {
            grid.push_back(s);
          }
        }
      }
    }
  }
  return grid;
}

}  // namespace

std::vector<Strategy> strategy_grid(const Scenario& scenario) {
  std::vector<Strategy> grid;
  for (std::int32_t tp : {1, 2, 8}) {
    for (std::int32_t pp : {1, 2, 4, 8, 16}) {
      for (std::int64_t microbatch : {1, 4}) {
        for (ScheduleKind schedule : {ScheduleKind::kOneFOneB, ScheduleKind::kGPipe}) {
          for (std::int32_t zero : {0, 1}) {
            for (bool pipeline_inside : {false, true}) {
              Strategy s;
              s.tensor_parallel = tp;
              s.pipeline_parallel = pp;
              s.data_parallel = static_cast<std::int32_t>(scenario.num_gpus / (tp * pp));
              s.microbatch_size = microbatch;
              s.schedule = schedule;
              s.zero_stage = zero;
              s.recompute.all_layers = recompute_full();
              if (pipeline_inside) {
                s.axis_order = {Axis::kTensor, Axis::kContext, Axis::kExpert, Axis::kPipeline, Axis::kData};
              }
              if (s.data_parallel >= 1 && !find_rejection(scenario, s)) {
                grid.push_back(s);
              }
            }
          }
        }
      }
    }
  }
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
