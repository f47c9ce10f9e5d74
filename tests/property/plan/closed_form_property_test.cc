#include <gtest/gtest.h>

#include <cmath>

#include "plain_runner.h"
#include "plan/closed_form.h"
#include "plan/legality.h"
#include "plan/lower.h"
#include "plan/memory.h"
#include "plan/simulate.h"
#include "sample_scenarios.h"
#include "small_programs.h"

namespace portolan {
namespace {

/// Both rungs of one candidate.
struct Pair {
  Estimate closed;
  Estimate folded;
  Bytes sent;  ///< what one send holds
};

Pair predict(ClosedForm& closed_form, const Scenario& scenario, const Cluster& cluster,
             const Strategy& strategy) {
  const Program program = lower(scenario, strategy);
  const SimulationRequest request{scenario, strategy, program, cluster, Fidelity::kFolded, false};
  return {closed_form.evaluate(strategy), simulate_program(request, run_without_contention)->estimate,
          boundary_bytes(scenario, strategy).held};
}

void expect_close_in_time(const Pair& pair, double tolerance) {
  const double folded = pair.folded.step_time.value;
  EXPECT_NEAR(pair.closed.step_time.value, folded, tolerance * folded);
  EXPECT_NEAR(pair.closed.breakdown.total().value, pair.closed.step_time.value, 1e-12 * folded);
}

void expect_close_in_memory(const Pair& pair, double tolerance) {
  ASSERT_EQ(pair.closed.stage_memory.size(), pair.folded.stage_memory.size());
  for (std::size_t s = 0; s < pair.closed.stage_memory.size(); ++s) {
    const double closed = static_cast<double>(pair.closed.stage_memory[s].allocated.value);
    const double folded = static_cast<double>(pair.folded.stage_memory[s].allocated.value);
    // Left out: 8 B of loss on the last stage, and what the last send may still hold when the most is held
    // after the passes. Rounded otherwise: ZeRO's shards, tensor by tensor.
    const StageMemory& memory = pair.closed.stage_memory[s];
    const bool after_passes = memory.workspace + memory.communication > Bytes(0);
    const double held = after_passes ? static_cast<double>(pair.sent.value) : 0;
    EXPECT_NEAR(closed, folded, tolerance * folded + held) << "stage " << s;
  }
}

/// Allowed relative differences.
struct Tolerances {
  double time = 0;                ///< of GPipe and 1F1B
  double interleaved_time = 0;    ///< and of ZB-H1
  double interleaved_memory = 0;  ///< which chunks are in flight changes with every pass
};

/// What sends that do not block hold is not in the closed form, nor what is made and used among weight
/// gradients that are put off.
double memory_tolerance(const Scenario& scenario, const Strategy& strategy, const Tolerances& tolerances) {
  const bool adds_apart = strategy.schedule == ScheduleKind::kZeroBubbleH1 &&
                          !scenario.software.fused_gradient_accumulation.value;
  const bool blocks = scenario.software.blocking_sends.value || strategy.pipeline_parallel == 1;
  const double exact = blocks && !adds_apart ? 1e-4 : 0.02;
  return strategy.schedule == ScheduleKind::kInterleaved ? tolerances.interleaved_memory : exact;
}

double time_tolerance(const Strategy& strategy, const Tolerances& tolerances) {
  if (strategy.pipeline_parallel == 1) {
    return 1e-9;
  }
  return strategy.schedule == ScheduleKind::kZeroBubbleH1 || strategy.schedule == ScheduleKind::kInterleaved
             ? tolerances.interleaved_time
             : tolerances.time;
}

/// Strategies of `scenario` from one test to the next: every `step`-th.
void expect_close(const Scenario& scenario, std::size_t step, const Tolerances& tolerances) {
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  ClosedForm closed_form(scenario, cluster);
  const std::vector<Strategy> strategies = legal_strategies(scenario);
  for (std::size_t i = 0; i < strategies.size(); i += step) {
    SCOPED_TRACE(short_name(strategies[i]));
    if (strategies[i].zero_stage >= 2) {
      continue;  // its gathers and reductions contend: tests/property/rungs
    }
    const Pair pair = predict(closed_form, scenario, cluster, strategies[i]);
    expect_close_in_time(pair, time_tolerance(strategies[i], tolerances));
    expect_close_in_memory(pair, memory_tolerance(scenario, strategies[i], tolerances));
    const ClosedForm::Outcome outcome = closed_form.outcome(strategies[i]);
    EXPECT_EQ(outcome.step_time, pair.closed.step_time);
    EXPECT_EQ(outcome.peak_memory, pair.closed.peak_memory);
    EXPECT_EQ(pair.closed.stage_memory[static_cast<std::size_t>(outcome.fullest_stage)].reserved,
              outcome.peak_memory);
  }
}

TEST(ClosedFormProperty, TinyModelsAgreeWithTheFoldedRung) {
  for (const Scenario& scenario : small_scenarios()) {
    // Found: at most 0.9 %, where the ends of the pipeline weigh as much as its layers; interleaved 2.2 %,
    // ZB-H1 1.9 %; in memory interleaved 9.1 %.
    expect_close(scenario, 1, {.time = 0.01, .interleaved_time = 0.025, .interleaved_memory = 0.1});
  }
}

TEST(ClosedFormProperty, Gpt3AgreesWithTheFoldedRung) {
  Scenario scenario = gpt3_scenario();
  scenario.global_batch = 256;
  // Found: at most 0.01 %, with 96 layers over 64 stages; interleaved 0.9 %.
  expect_close(scenario, 101, {.time = 0.001, .interleaved_time = 0.01, .interleaved_memory = 0.02});
}

TEST(ClosedFormProperty, UnevenStagesAgreeWithTheFoldedRung) {
  Scenario scenario = gpt3_scenario();
  scenario.global_batch = 64;
  scenario.num_gpus = 32;
  scenario.model.num_layers = 16;
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  ClosedForm closed_form(scenario, cluster);
  const auto expect_close_with = [&](const std::vector<std::int32_t>& layers, ScheduleKind schedule) {
    for (const std::int64_t microbatch : {1, 8, 16}) {
      Strategy strategy =
          sample_strategy(scenario, {.tensor = 4, .pipeline = 4, .data = 2, .microbatch = microbatch});
      strategy.layers_per_stage = layers;
      strategy.schedule = schedule;
      strategy.virtual_stages = schedule == ScheduleKind::kInterleaved ? 2 : 1;
      if (find_rejection(scenario, strategy)) {  // stages interleave over whole groups of microbatches
        continue;
      }
      SCOPED_TRACE(short_name(strategy));
      const Pair pair = predict(closed_form, scenario, cluster, strategy);
      expect_close_in_time(pair, 0.002);  // found 0.07 %
      if (schedule != ScheduleKind::kInterleaved) {
        expect_close_in_memory(pair, 1e-4);
      }
    }
  };
  for (const auto& layers : std::vector<std::vector<std::int32_t>>{
           {1, 1, 1, 13}, {13, 1, 1, 1}, {2, 6, 6, 2}, {7, 1, 1, 7}, {1, 2, 6, 7}}) {
    for (const ScheduleKind schedule :
         {ScheduleKind::kGPipe, ScheduleKind::kOneFOneB, ScheduleKind::kZeroBubbleH1}) {
      expect_close_with(layers, schedule);
    }
  }
  for (const auto& layers : std::vector<std::vector<std::int32_t>>{{1, 1, 1, 9, 1, 1, 1, 1},
                                                                   {9, 1, 1, 1, 1, 1, 1, 1},
                                                                   {3, 2, 2, 2, 2, 2, 2, 1},
                                                                   {0, 1, 4, 3, 1, 5, 2, 0}}) {
    expect_close_with(layers, ScheduleKind::kInterleaved);
  }
}

TEST(ClosedFormProperty, LayersThatDifferInRecomputationAgreeWithTheFoldedRung) {
  Scenario scenario = gpt3_scenario();
  scenario.global_batch = 64;
  scenario.num_gpus = 32;
  scenario.model.num_layers = 8;
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  ClosedForm closed_form(scenario, cluster);
  const RecomputeSet none = recompute_none(), selective = recompute_selective(), full = recompute_full();
  for (const auto& sets :
       std::vector<std::vector<RecomputeSet>>{{full, full, none, none, full, full, none, none},
                                              {none, full, none, full, none, full, none, full},
                                              {full, none, full, selective, selective, none, none, full},
                                              std::vector<RecomputeSet>(8, selective)}) {
    for (const std::int32_t stages : {1, 2, 4}) {
      Strategy strategy = sample_strategy(scenario, {.tensor = 4, .pipeline = stages, .data = 8 / stages});
      strategy.recompute.per_layer = sets;
      SCOPED_TRACE(short_name(strategy));
      const Pair pair = predict(closed_form, scenario, cluster, strategy);
      expect_close_in_time(pair, 0.001);  // found 0.02 %
      expect_close_in_memory(pair, 1e-4);
      EXPECT_NEAR(pair.closed.hfu_pct, pair.folded.hfu_pct, 0.01 * pair.folded.hfu_pct);
    }
  }
}

/// With PCIe of 20 GB/s, every `step`-th strategy with each kind of offload. Which layers' copies are under
/// way at the widest moment is not followed: memory is `memory` apart at most, on the host nothing but where
/// stages interleave, when chunks keep unequal parts of their layers there.
void expect_close_with_offload(Scenario scenario, std::size_t step, double time, double memory) {
  scenario.hardware = with_pcie(scenario.hardware);
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  ClosedForm closed_form(scenario, cluster);
  const std::vector<Strategy> strategies = legal_strategies(scenario);
  for (std::size_t i = 0; i < strategies.size(); i += step) {
    for (const Offload offload :
         {Offload::kActivations, Offload::kOptimizer, Offload::kActivationsAndOptimizer}) {
      Strategy strategy = strategies[i];
      strategy.offload = offload;
      if (strategy.zero_stage >= 2) {
        continue;
      }
      SCOPED_TRACE(short_name(strategy));
      const Pair pair = predict(closed_form, scenario, cluster, strategy);
      const bool interleaved = strategy.schedule == ScheduleKind::kInterleaved;
      expect_close_in_time(pair, time);
      if (!interleaved) {
        expect_close_in_memory(pair, offloads_activations(offload) ? memory : 0.08);
        for (std::size_t s = 0; s < pair.closed.stage_memory.size(); ++s) {
          const Bytes formula = pair.closed.stage_memory[s].host, walked = pair.folded.stage_memory[s].host;
          // Rounded otherwise: ZeRO's shards.
          const double tolerance = strategy.zero_stage > 0 ? 1e-2 * static_cast<double>(walked.value) : 0;
          EXPECT_NEAR(static_cast<double>(formula.value), static_cast<double>(walked.value), tolerance)
              << "stage " << s;
        }
      }
    }
  }
}

TEST(ClosedFormProperty, OffloadAgreesWithTheFoldedRung) {
  for (const Scenario& scenario : small_scenarios()) {
    // Found: 6.3 % in time; in memory 33 %, of models whose head outweighs a layer.
    expect_close_with_offload(scenario, 5, 0.07, 0.35);
  }
  Scenario scenario = gpt3_scenario();
  scenario.global_batch = 256;
  // Found: 8.9 % in time, where copies take longer than a layer; 28 % in memory, with ZB-H1.
  expect_close_with_offload(scenario, 301, 0.1, 0.3);
}

TEST(ClosedFormProperty, LayersThatAreRecomputedTogetherAgreeWithTheFoldedRung) {
  for (const bool experts : {false, true}) {
    Scenario scenario = gpt3_scenario();
    scenario.global_batch = 64;
    scenario.num_gpus = 32;
    scenario.model.num_layers = 24;
    if (experts) {  // groups of both kinds
      scenario.model.experts = MixtureOfExperts{
          .num_experts = 4, .experts_per_token = 1, .expert_ffn_size = 12288, .first_dense_layers = 3};
    }
    for (const bool whole : {true, false}) {
      scenario.software.recompute_whole_group.value = whole;
      scenario.software.dropout.value = whole;
      const Cluster cluster = Cluster::build(scenario.hardware).value();
      ClosedForm closed_form(scenario, cluster);
      for (const std::int32_t layers : {2, 3, 5, 24}) {
        for (const std::int32_t stages : {1, 2, 4}) {
          for (const ScheduleKind schedule :
               {ScheduleKind::kOneFOneB, ScheduleKind::kInterleaved, ScheduleKind::kZeroBubbleH1}) {
            if (stages == 1 && schedule != ScheduleKind::kOneFOneB) {
              continue;
            }
            Strategy strategy =
                sample_strategy(scenario, {.tensor = 4, .pipeline = stages, .data = 8 / stages});
            strategy.sequence_parallel = stages == 2;
            strategy.schedule = schedule;
            strategy.virtual_stages = schedule == ScheduleKind::kInterleaved ? 2 : 1;
            strategy.recompute = {
                .all_layers = recompute_full(), .per_layer = {}, .layers_per_group = layers};
            ASSERT_FALSE(find_rejection(scenario, strategy));
            SCOPED_TRACE(short_name(strategy));
            const Pair pair = predict(closed_form, scenario, cluster, strategy);
            const Tolerances found{.time = 0.001, .interleaved_time = 0.005, .interleaved_memory = 0.02};
            expect_close_in_time(pair, time_tolerance(strategy, found));
            expect_close_in_memory(pair, memory_tolerance(scenario, strategy, found));
            EXPECT_NEAR(pair.closed.hfu_pct * pair.closed.step_time.value,
                        pair.folded.hfu_pct * pair.folded.step_time.value,
                        1e-9 * pair.folded.hfu_pct * pair.folded.step_time.value);
          }
        }
      }
    }
  }
}

// What is remembered of one strategy is used for others only where it is the same.
TEST(ClosedFormProperty, WhatWasAskedBeforeChangesNoAnswer) {
  for (const Scenario& scenario : small_scenarios()) {
    const Cluster cluster = Cluster::build(scenario.hardware).value();
    ClosedForm upwards(scenario, cluster), downwards(scenario, cluster);
    const std::vector<Strategy> strategies = legal_strategies(scenario);
    std::vector<Estimate> estimates;
    for (const Strategy& strategy : strategies) {
      estimates.push_back(upwards.evaluate(strategy));
    }
    for (std::size_t i = strategies.size(); i-- > 0;) {
      EXPECT_EQ(downwards.evaluate(strategies[i]), estimates[i]) << short_name(strategies[i]);
    }
  }
}

TEST(ClosedFormProperty, TensorGroupsOfAllAxisOrdersHaveTheirOwnCosts) {
  const Scenario scenario = tiny_scenario(8);
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  ClosedForm shared(scenario, cluster);
  const auto strategy_of = [&](const Degrees& degrees) {
    Strategy strategy = sample_strategy(scenario, degrees);
    strategy.axis_order = {Axis::kData, Axis::kPipeline, Axis::kTensor, Axis::kContext, Axis::kExpert};
    return strategy;
  };
  // Tensor-parallel pairs are dp x pp = 4 devices apart: another node. Then 2 devices, which are neighbours
  // in a node.
  for (const Degrees& degrees : {Degrees{.tensor = 2, .pipeline = 2, .data = 2},
                                 Degrees{.tensor = 4, .pipeline = 2}, Degrees{.tensor = 4, .data = 2}}) {
    ClosedForm fresh(scenario, cluster);
    const Strategy strategy = strategy_of(degrees);
    EXPECT_EQ(shared.evaluate(strategy), fresh.evaluate(strategy));
    expect_close_in_time(predict(shared, scenario, cluster, strategy), 0.01);
  }
}

}  // namespace
}  // namespace portolan
