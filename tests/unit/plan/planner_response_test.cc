#include <gtest/gtest.h>

#include "plain_runner.h"
#include "plan/closed_form.h"
#include "plan/lower.h"
#include "plan/search.h"
#include "plan/simulate.h"
#include "sample_scenarios.h"

// The planner answers to what it is told: one input at a time changes, and the answer changes by what a
// formula on paper says. GPT-3 175B on a100_like_hardware: NVLink 200 GB/s, card 20 GB/s achieved, 150
// TFLOP/s achieved, 1.6 TB/s achieved.

namespace portolan {
namespace {

constexpr double kHidden = 12288;
constexpr double kSequence = 2048;
constexpr double kCardBytesPerSecond = 20e9;
constexpr double kNvlinkBytesPerSecond = 200e9;
/// Hidden state of one sequence in bf16.
constexpr double kHiddenBytes = kSequence * kHidden * 2;

/// Elements of a layer on one of 8 tensor-parallel ranks: qkv, projection and MLP divided, norms and two
/// biases whole.
constexpr double kLayerElements = 12 * kHidden * kHidden / 8 + 7 * kHidden / 8 + 6 * kHidden;
/// Of the word embedding: 50,257 padded to 51,200.
constexpr double kWordElements = 51200.0 / 8 * kHidden;
constexpr double kPositionElements = 2048 * kHidden;

Scenario with_card(Scenario scenario, double bytes_per_second) {
  scenario.hardware.nic.bandwidth.value = BytesPerSecond(bytes_per_second / 0.8);
  return scenario;
}

Estimate folded(const Scenario& scenario, const Strategy& strategy) {
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const Program program = lower(scenario, strategy);
  return simulate_program({scenario, strategy, program, cluster, Fidelity::kFolded, false},
                          run_without_contention)
      ->estimate;
}

Strategy winner(const Scenario& scenario, const StrategyConstraints& constraints) {
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const Evaluator evaluator = [&](std::span<const Strategy> strategies, Fidelity fidelity) {
    ClosedForm closed_form(scenario, cluster);
    std::vector<Result<Estimate>> results;
    for (const Strategy& strategy : strategies) {
      results.emplace_back(fidelity == Fidelity::kClosedForm ? closed_form.evaluate(strategy)
                                                             : folded(scenario, strategy));
    }
    return results;
  };
  return search(scenario, constraints, {.cluster = cluster, .evaluator = evaluator},
                {.breadth = SpaceBreadth::kUsual, .num_full = 0})
      ->ranking.front()
      .strategy;
}

TEST(PlannerResponse, ExposedGradientSynchronisationFollowsTheCards) {
  const Scenario scenario = gpt3_scenario();
  const Strategy strategy = sample_strategy(scenario, {.tensor = 8, .pipeline = 8, .data = 8});
  // Stage 0 ends last: it synchronises 12 layers and the tables over 8 replicas on 8 nodes, one rail each,
  // then the word embedding with the last stage. Both are exposed whole: 2 x 7/8 of 4-byte gradients, then 2
  // x 1/2 of the embedding's.
  const double gradients = 4 * (12 * kLayerElements + kWordElements + kPositionElements);
  const double bytes = 2 * 7.0 / 8 * gradients + 4 * kWordElements;
  // Steps of 10 us: 8 hops x 2 x 7/8 turns, and 2 hops x 2 x 1/2.
  const double steps = 10e-6 * (14 + 2);
  for (const double card : {kCardBytesPerSecond, kCardBytesPerSecond / 2, kCardBytesPerSecond * 4}) {
    const Estimate estimate = folded(with_card(scenario, card), strategy);
    EXPECT_NEAR(estimate.breakdown.exposed_data.value, bytes / card + steps, 1e-6 * bytes / card);
  }
}

/// 4 layers on 2 nodes of 8 GPUs, 16 sequences, tensor parallelism in the node: two stages or two replicas?
Scenario two_node_scenario() {
  Scenario scenario = gpt3_scenario();
  scenario.hardware = a100_like_hardware(2);
  scenario.num_gpus = 16;
  scenario.global_batch = 16;
  scenario.model.num_layers = 4;
  return scenario;
}

TEST(PlannerResponse, FasterCardsMoveTheWinnerFromStagesToReplicas) {
  // Replicas: 8 microbatches of 4 layers, then an all-reduce of 2 x 1/2 x 4 B x P/8. Stages: 16 microbatches
  // of 2 layers and one more turn, half of a whole pass. The pass of 4 layers and the head takes at least its
  // products at 150 TFLOP/s (attention counted at that rate too): 3 x (4 (24 s h^2 + 4 s^2 h) + 2 s h V) / 8
  // = 12.3 TFLOPs = 82 ms; half of it 41 ms. At 20 GB/s the all-reduce of 4.04 GB takes 202 ms: stages win.
  // At 400 GB/s it takes 10 ms, and replicas win.
  const double products = 3 *
                          (4 * (24 * kSequence * kHidden * kHidden + 4 * kSequence * kSequence * kHidden) +
                           2 * kSequence * kHidden * 51200) /
                          8;
  const double half_pass = products / 150e12 / 2;
  const double gradients = 4 * (4 * kLayerElements + kWordElements + kPositionElements);
  ASSERT_NEAR(half_pass, 41e-3, 1e-3);
  ASSERT_NEAR(gradients, 4.04e9, 0.02e9);
  ASSERT_GT(gradients / kCardBytesPerSecond, 2 * half_pass);
  ASSERT_LT(gradients / 400e9, half_pass / 2);
  StrategyConstraints constraints;
  constraints.tensor_parallel = 8;
  constraints.microbatch_size = 1;
  constraints.recompute = Recompute{};
  constraints.zero_stage = 0;
  const Scenario scenario = two_node_scenario();
  EXPECT_EQ(winner(scenario, constraints).pipeline_parallel, 2);
  EXPECT_EQ(winner(with_card(scenario, 400e9), constraints).pipeline_parallel, 1);
}

TEST(PlannerResponse, LessMemoryMovesTheWinnerToMoreRecomputation) {
  Scenario scenario = gpt3_scenario();
  StrategyConstraints constraints;
  constraints.tensor_parallel = constraints.pipeline_parallel = constraints.data_parallel = 8;
  constraints.microbatch_size = 1;
  constraints.sequence_parallel = false;
  constraints.schedule = ScheduleKind::kOneFOneB;
  constraints.zero_stage = 0;
  // Stage 0: 12 layers and the tables, 2 B of parameter, 4 of gradient, 12 of optimizer; 8 microbatches of 12
  // layers in flight with s h (10 + 24/8 + 5 a s / 8 h) each (Korthikanti et al. 2022, a s / h = 16), 13 s h
  // with selective, 2 s h with full recomputation.
  const double state = 18 * (12 * kLayerElements + kWordElements + kPositionElements);
  const double sh = kSequence * kHidden;
  const double gib = static_cast<double>(kGibi);
  const double none = (state + 96 * sh * (13 + 10)) / gib;
  const double selective = (state + 96 * sh * 13) / gib;
  const double full = (state + 96 * sh * 2) / gib;
  ASSERT_NEAR(none, 99, 1);
  ASSERT_NEAR(selective, 76.5, 1);
  ASSERT_NEAR(full, 52, 1);
  // Beside them: 1 GiB of framework, and what one layer needs while it runs, below 3 GiB.
  const auto recomputed_with = [&](double memory_gib) {
    scenario.hardware.device.memory.value = Bytes(static_cast<std::int64_t>(memory_gib * gib));
    return recompute_name(winner(scenario, constraints));
  };
  EXPECT_EQ(recomputed_with(none + 4), "none");
  EXPECT_EQ(recomputed_with(none), "selective");
  EXPECT_EQ(recomputed_with(selective + 4), "selective");
  EXPECT_EQ(recomputed_with(selective), "full");
  EXPECT_EQ(recomputed_with(full + 4), "full");
}

TEST(PlannerResponse, SendingWholeTensorsExposesSevenEighthsMoreAndSavesTheGathers) {
  // Two stages on two nodes and one microbatch: the hidden state goes over and its gradient comes back,
  // nothing overlaps.
  Scenario scenario = two_node_scenario();
  scenario.global_batch = 1;
  const Strategy strategy = sample_strategy(scenario, {.tensor = 8, .pipeline = 2});
  const Estimate shards = folded(scenario, strategy);
  scenario.software.scatter_gather_pipeline.value = false;
  const Estimate whole = folded(scenario, strategy);
  // A rail carries 1/8 of the tensor, or all of it. The gather: 7/8 of the tensor over NVLink, a turn of 8
  // steps of 3 us.
  const double more = 7.0 / 8 * kHiddenBytes / kCardBytesPerSecond;
  const double gather = 7.0 / 8 * kHiddenBytes / kNvlinkBytesPerSecond + 7.0 / 8 * 8 * 3e-6;
  EXPECT_NEAR((whole.breakdown.exposed_pipeline - shards.breakdown.exposed_pipeline).value, more, 1e-9);
  EXPECT_NEAR((shards.breakdown.exposed_tensor - whole.breakdown.exposed_tensor).value, gather, 1e-9);
  EXPECT_NEAR((whole.step_time - shards.step_time).value, 2 * more - 2 * gather, 1e-9);
}

TEST(PlannerResponse, RecomputingWholeGroupsCostsTheKernelsThatNobodyReads) {
  // One stage of 4 layers on 8 GPUs, without dropout: nobody reads a layer's output in its backward, so that
  // the last product of the MLP, its all-reduce and its residual addition need not run again.
  Scenario scenario = two_node_scenario();
  scenario.num_gpus = 8;
  scenario.software.dropout.value = false;
  Strategy strategy = sample_strategy(scenario, {.tensor = 8});
  strategy.recompute.all_layers = recompute_full();
  const Estimate whole = folded(scenario, strategy);
  scenario.software.recompute_whole_group.value = false;
  const Estimate needed = folded(scenario, strategy);
  const double layers_run = 4 * 16;
  const double launch = 4e-6;
  const double product = 2 * kSequence * kHidden * 4 * kHidden / 8 / 150e12 + launch;
  // The sum is read and written, the branch and the bias are read: at 1.6 TB/s.
  const double addition = (3 * kHiddenBytes + 2 * kHidden) / 1.6e12 + launch;
  const double all_reduce = 2 * (7.0 / 8 * kHiddenBytes / kNvlinkBytesPerSecond + 7.0 / 8 * 8 * 3e-6);
  EXPECT_NEAR((whole.breakdown.recompute - needed.breakdown.recompute).value,
              layers_run * (product + addition), 1e-9);
  EXPECT_NEAR((whole.breakdown.exposed_tensor - needed.breakdown.exposed_tensor).value,
              layers_run * all_reduce, 1e-9);
  EXPECT_NEAR((whole.step_time - needed.step_time).value, layers_run * (product + addition + all_reduce),
              1e-9);
}

TEST(PlannerResponse, UtilisationCountsTheModelAndRecomputationApart) {
  // MFU by hand: 72 B s l h^2 (1 + s / 6h + V / 12 h l) FLOPs with the model's own vocabulary over 512 x 300
  // TFLOP/s x step.
  const Scenario scenario = gpt3_scenario();
  Strategy strategy = sample_strategy(scenario, {.tensor = 8, .pipeline = 8, .data = 8});
  strategy.recompute.all_layers = recompute_full();
  const Estimate estimate = folded(scenario, strategy);
  const double layers = 96, batch = 1536;
  const double forward_of_layers =
      24 * batch * kSequence * layers * kHidden * kHidden * (1 + kSequence / (6 * kHidden));
  const double head = 6 * batch * kSequence * kHidden * 50257;
  const double peak = 512 * 300e12 * estimate.step_time.value;
  EXPECT_NEAR(estimate.mfu_pct, 100 * (3 * forward_of_layers + head) / peak, 1e-9);
  // Full recomputation runs the layers' forward once more.
  EXPECT_NEAR(estimate.hfu_pct, 100 * (4 * forward_of_layers + head) / peak, 1e-9);
  EXPECT_NEAR(estimate.tokens_per_s, batch * kSequence / estimate.step_time.value, 1e-6);
  // 2 an hour for each of 512 GPUs.
  EXPECT_NEAR(estimate.cost, 2 * 512 * estimate.step_time.value / 3600, 1e-9);
  const Breakdown& b = estimate.breakdown;
  const double busy = (b.compute + b.recompute + b.optimizer).value;
  EXPECT_NEAR(estimate.energy.value, 512 * (400 * busy + 100 * (estimate.step_time.value - busy)), 1e-3);
}

}  // namespace
}  // namespace portolan
