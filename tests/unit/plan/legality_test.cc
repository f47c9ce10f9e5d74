#include "plan/legality.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "sample_scenarios.h"

namespace portolan {
namespace {

struct Row {
  RejectReason reason;
  const char* message;
  void (*change)(Scenario&, Strategy&);
};

void compress(Strategy& strategy, const char* name) {
  strategy.gradient_aggregation.compression = find_compression(name).value();
}

TEST(Legality, EachRejectionHasItsNumbers) {
  // tiny_gpt (4 layers, 4 heads, MLP 64) on 8 GPUs as tp 2 x pp 2 x dp 2, global batch 16.
  using R = RejectReason;
  const std::vector<Row> table = {
      {R::kNotAvailable, "context parallelism needs flash attention (software profile portolan has none)",
       [](Scenario& c, Strategy& s) {
         c.software.name = "portolan";
         s.context_parallel = 2;
       }},
      {R::kHeads, "a sequence of 18 tokens is not divisible by 2 x cp 2 (causal zigzag)",
       [](Scenario& c, Strategy& s) {
         c.software.flash_attention.value = true;
         c.sequence_length = 18;
         s.context_parallel = 2;
         s.data_parallel = 1;
       }},
      {R::kDegrees, "tp 2 x pp 2 x dp 2 x cp 2 = 16 ranks exceed the 8 GPUs",
       [](Scenario& c, Strategy& s) {
         c.software.flash_attention.value = true;
         s.context_parallel = 2;
       }},
      {R::kDegrees, "ep=4: tiny-gpt has no experts (allowed: 1)",
       [](Scenario&, Strategy& s) { s.expert_parallel = 4; }},
      {R::kHeads, "8 experts are not divisible by ep 3",
       [](Scenario& c, Strategy& s) {
         c.model.experts = {.num_experts = 8, .experts_per_token = 2, .expert_ffn_size = 64};
         s.expert_parallel = 3;
       }},
      {R::kDegrees, "dp 2 is not divisible by ep 4",
       [](Scenario& c, Strategy& s) {
         c.model.experts = {.num_experts = 8, .experts_per_token = 2, .expert_ffn_size = 64};
         s.expert_parallel = 4;
       }},
      {R::kHeads, "expert width 65 is not divisible by tp 2",
       [](Scenario& c, Strategy&) {
         c.model.experts = {.num_experts = 8, .experts_per_token = 2, .expert_ffn_size = 65};
       }},
      {R::kHeads, "a sequence of 63 tokens is not divisible by tp 2 (sequence parallelism)",
       [](Scenario& c, Strategy& s) {
         c.sequence_length = 63;
         s.sequence_parallel = true;
       }},
      {R::kDegrees, "zero=-1 (allowed: 0 to 3)", [](Scenario&, Strategy& s) { s.zero_stage = -1; }},
      {R::kNotAvailable,
       "bucket of 25.00 MiB with overlap=false, which sums a stage's gradients at once (allowed: bucket=0, "
       "overlap=true)",
       [](Scenario&, Strategy& s) { s.gradient_aggregation.bucket = Bytes(25 * kMebi); }},
      {R::kNotAvailable,
       "overlap with ZeRO stage 2, which reduces gradients block by block in every backward (allowed: "
       "overlap=false; zero=0, zero=1; zero_group below the 2 data-parallel ranks)",
       [](Scenario&, Strategy& s) {
         s.gradient_aggregation.overlap = true;
         s.zero_stage = 2;
       }},
      {R::kLossy,
       "compression powersgd:4 loses a part of the gradients (allowed: none; others where the scenario says "
       "lossy_gradients: true)",
       [](Scenario&, Strategy& s) { compress(s, "powersgd:4"); }},
      {R::kNotAvailable,
       "compression int8 with ZeRO stage 2, which reduces gradients block by block in every backward "
       "(allowed: zero=0, zero=1)",
       [](Scenario& c, Strategy& s) {
         c.lossy_gradients = true;
         compress(s, "int8");
         s.zero_stage = 2;
       }},
      {R::kNotAvailable,
       "compression topk:0.01 with ZeRO stage 1, where ranks need the sum of their shards alone (allowed: "
       "zero=0; with zero=1 none, bf16, fp8, int8, int4)",
       [](Scenario& c, Strategy& s) {
         c.lossy_gradients = true;
         compress(s, "topk:0.01");
         s.zero_stage = 1;
       }},
      {R::kNotAvailable,
       "compression int4 with zero_group=1, which sums within groups and across them (allowed: zero_group=0)",
       [](Scenario& c, Strategy& s) {
         c.lossy_gradients = true;
         compress(s, "int4");
         s.zero_stage = 1;
         s.zero_group = 1;
       }},
      {R::kNotAvailable, "compression int8 with one data-parallel rank, which sums nothing (allowed: none)",
       [](Scenario& c, Strategy& s) {
         c.lossy_gradients = true;
         compress(s, "int8");
         s.pipeline_parallel = 4;
         s.data_parallel = 1;
       }},
      {R::kNotAvailable,
       "compression fp8 with overlap=true: its kernels run after the passes (allowed: overlap=false)",
       [](Scenario& c, Strategy& s) {
         c.lossy_gradients = true;
         compress(s, "fp8");
         s.gradient_aggregation.overlap = true;
       }},
      {R::kNotAvailable,
       "compression bf16 where gradients are 2 bytes wide already (allowed: none, fp8, int8, int4, "
       "topk:SHARE, powersgd:RANK)",
       [](Scenario& c, Strategy& s) {
         c.lossy_gradients = true;
         c.software.gradient_bytes.value = 2;
         compress(s, "bf16");
       }},
      {R::kNotAvailable,
       "compression topk:0.5 with aggregation tree: it exchanges and gathers, and of that there are no trees "
       "(allowed: ring, hierarchical)",
       [](Scenario& c, Strategy& s) {
         c.lossy_gradients = true;
         compress(s, "topk:0.5");
         s.gradient_aggregation.algorithm = CollectiveAlgorithm::kTree;
       }},
      {R::kNotAvailable,
       "aggregation tree with ZeRO stage 1, which reduces and scatters gradients, and of that there are no "
       "trees (allowed: ring, hierarchical; zero=0; zero_group below the 2 data-parallel ranks)",
       [](Scenario&, Strategy& s) {
         s.gradient_aggregation.algorithm = CollectiveAlgorithm::kTree;
         s.zero_stage = 1;
       }},
      {R::kNotAvailable,
       "offload activations with recompute uniform:2 is not available yet (allowed: uniform:1, or offload of "
       "none or the optimizer)",
       [](Scenario&, Strategy& s) {
         s.offload = Offload::kActivations;
         s.recompute = {.all_layers = recompute_full(), .per_layer = {}, .layers_per_group = 2};
       }},
      {R::kNotAvailable, "offload activations+optimizer needs the figures of PCIe (hardware small has none)",
       [](Scenario&, Strategy& s) { s.offload = Offload::kActivationsAndOptimizer; }},
      {R::kNotAvailable, "hardware small names no peak rate for fp8 (allowed: fp32, bf16)",
       [](Scenario& c, Strategy& s) {
         c.hardware.device.peak.erase(Precision::kFp8);
         s.precision = Precision::kFp8;
       }},
      {R::kNotAvailable, "hardware small names no peak rate for bf16",
       [](Scenario& c, Strategy& s) {
         c.hardware.device.peak.erase(Precision::kBf16);
         c.hardware.device.peak[Precision::kFp8] = {FlopsPerSecond(1e12), "test"};
         s.precision = Precision::kFp8;
       }},
      {R::kHeads, "a rank's MLP width 40 is not divisible by 16 (precision fp8)",
       [](Scenario& c, Strategy& s) {
         c.hardware.device.peak[Precision::kFp8] = {FlopsPerSecond(1e12), "test"};
         c.hardware.device.peak[Precision::kBf16] = {FlopsPerSecond(1e12), "test"};
         c.model.ffn_size = 80;
         s.precision = Precision::kFp8;
       }},
      {R::kNotAvailable,
       "ZeRO stage 2 with schedule zb-h1 is not available yet (allowed: gpipe, 1f1b, interleaved)",
       [](Scenario&, Strategy& s) {
         s.zero_stage = 2;
         s.schedule = ScheduleKind::kZeroBubbleH1;
       }},
      {R::kDegrees, "zero=4 (allowed: 0 to 3)", [](Scenario&, Strategy& s) { s.zero_stage = 4; }},
      {R::kDegrees, "zero_group=3 (allowed: 0, the whole data-parallel group, or a divisor of dp 2)",
       [](Scenario&, Strategy& s) { s.zero_group = 3; }},
      {R::kNotAvailable, "hardware small names no peak rate for tf32",
       [](Scenario&, Strategy& s) { s.precision = Precision::kTf32; }},
      {R::kDegrees, "tp=0 (allowed: 1 or more)", [](Scenario&, Strategy& s) { s.tensor_parallel = 0; }},
      {R::kDegrees, "pp=-2 (allowed: 1 or more)", [](Scenario&, Strategy& s) { s.pipeline_parallel = -2; }},
      {R::kDegrees, "tp 2 x pp 2 x dp 4 = 16 ranks exceed the 8 GPUs",
       [](Scenario&, Strategy& s) { s.data_parallel = 4; }},
      {R::kDegrees, "tp 2 x pp 2 x dp 1 = 4 ranks leave idle some of the 8 GPUs",
       [](Scenario&, Strategy& s) { s.data_parallel = 1; }},
      {R::kDegrees, "8 GPUs are not divisible by tp 5",
       [](Scenario&, Strategy& s) { s.tensor_parallel = 5; }},
      {R::kDegrees, "8 GPUs are not divisible by tp 1073741824",
       [](Scenario&, Strategy& s) { s.tensor_parallel = s.pipeline_parallel = s.data_parallel = 1 << 30; }},
      {R::kHeads, "3 attention heads are not divisible by tp 2",
       [](Scenario& c, Strategy&) { c.model.num_heads = 3; }},
      {R::kHeads, "1 key-value heads are not divisible by tp 2",
       [](Scenario& c, Strategy&) { c.model.num_kv_heads = 1; }},
      {R::kHeads, "MLP width 65 is not divisible by tp 2",
       [](Scenario& c, Strategy&) { c.model.ffn_size = 65; }},
      {R::kLayers, "virtual_stages=2 (allowed: 1, more with schedule interleaved)",
       [](Scenario&, Strategy& s) { s.virtual_stages = 2; }},
      {R::kLayers, "schedule interleaved with 1 virtual stages on pp 2 (needed: 2 or more of both)",
       [](Scenario&, Strategy& s) { s.schedule = ScheduleKind::kInterleaved; }},
      {R::kLayers, "4 layers are fewer than pp 2 x 3 virtual stages",
       [](Scenario&, Strategy& s) {
         s.schedule = ScheduleKind::kInterleaved;
         s.virtual_stages = 3;
       }},
      {R::kBatch, "1 microbatches are not a multiple of pp 2 (schedule interleaved)",
       [](Scenario& c, Strategy& s) {
         s.schedule = ScheduleKind::kInterleaved;
         s.virtual_stages = 2;
         c.global_batch = s.data_parallel * s.microbatch_size;
       }},
      {R::kLayers, "1 layers are fewer than pp 2 stages",
       [](Scenario& c, Strategy&) { c.model.num_layers = 1; }},
      {R::kLayers,
       "a list of 3 stages with 4 layers in all (needed: 2 stages, 4 layers, 1 or more in each but the first "
       "and the last)",
       [](Scenario&, Strategy& s) {
         s.layers_per_stage = {1, 1, 2};
       }},
      {R::kLayers, "a list of 2 stages with 5 layers in all",
       [](Scenario&, Strategy& s) {
         s.layers_per_stage = {2, 3};
       }},
      {R::kLayers, "a list of 1 stages with 4 layers in all",
       [](Scenario&, Strategy& s) { s.layers_per_stage = {4}; }},
      {R::kLayers, "a list of 2 stages with 4 layers in all",
       [](Scenario&, Strategy& s) {
         s.layers_per_stage = {5, -1};
       }},
      {R::kLayers, "recompute lists 3 layers, the model has 4",
       [](Scenario&, Strategy& s) { s.recompute.per_layer.resize(3); }},
      {R::kLayers, "recompute uniform:0 (allowed: 1 or more layers)",
       [](Scenario&, Strategy& s) { s.recompute.layers_per_group = 0; }},
      {R::kLayers, "groups of 2 layers without full recomputation of all layers",
       [](Scenario&, Strategy& s) { s.recompute.layers_per_group = 2; }},
      {R::kLayers, "groups of 2 layers without full recomputation of all layers",
       [](Scenario&, Strategy& s) {
         s.recompute = {.all_layers = recompute_full(),
                        .per_layer = std::vector(4, recompute_full()),
                        .layers_per_group = 2};
       }},
      {R::kBatch, "microbatch=0 (allowed: 1 or more)", [](Scenario&, Strategy& s) { s.microbatch_size = 0; }},
      {R::kBatch, "global batch 16 is not divisible by dp 2 x microbatch 3",
       [](Scenario&, Strategy& s) { s.microbatch_size = 3; }},
      {R::kBatch, "global batch 16 is not divisible by dp 2 x microbatch 16",
       [](Scenario&, Strategy& s) { s.microbatch_size = 16; }},
      {R::kBatch, "global batch 15 is not divisible by dp 2 x microbatch 1",
       [](Scenario& c, Strategy&) { c.global_batch = 15; }},
  };
  for (const Row& row : table) {
    Scenario scenario = tiny_scenario(8);
    Strategy strategy = sample_strategy(scenario, {.tensor = 2, .pipeline = 2, .data = 2});
    ASSERT_FALSE(find_rejection(scenario, strategy));
    row.change(scenario, strategy);
    const auto rejection = find_rejection(scenario, strategy);
    ASSERT_TRUE(rejection) << row.message;
    EXPECT_EQ(rejection->reason, row.reason) << row.message;
    EXPECT_TRUE(rejection->message.starts_with(row.message)) << rejection->message;
  }
}

TEST(Legality, TheVocabularyNeedNotDivideAndKindsOfRecomputationMayMix) {
  Scenario scenario = tiny_scenario(8);
  scenario.model.vocab_size = 51;  // padded to 52 over tp 2
  Strategy strategy = sample_strategy(scenario, {.tensor = 2, .pipeline = 2, .data = 2});
  strategy.layers_per_stage = {1, 3};
  strategy.recompute.per_layer = {recompute_full(), recompute_none(), recompute_none(),
                                  recompute_selective()};
  EXPECT_EQ(find_rejection(scenario, strategy), std::nullopt);
}

// Hierarchies have reduce-scatters; groups that share shards leave all-reduces across them.
TEST(Legality, AggregationIsOfWhatZeroLeavesToSum) {
  const Scenario scenario = tiny_scenario(8);
  Strategy strategy = sample_strategy(scenario, {.tensor = 2, .data = 4});
  for (const std::int32_t zero : {0, 1, 2, 3}) {
    for (const std::int32_t group : {0, 1, 2, 4}) {
      strategy.zero_stage = zero;
      strategy.zero_group = group;
      strategy.gradient_aggregation.algorithm = CollectiveAlgorithm::kHierarchical;
      EXPECT_FALSE(find_rejection(scenario, strategy)) << short_name(strategy);
      strategy.gradient_aggregation.algorithm = CollectiveAlgorithm::kTree;
      EXPECT_EQ(find_rejection(scenario, strategy).has_value(), zero > 0 && (group == 0 || group == 4))
          << short_name(strategy);
    }
  }
}

TEST(Legality, MicrobatchesAreTheBatchOverReplicasAndSize) {
  const Scenario scenario = gpt3_scenario();
  EXPECT_EQ(
      num_microbatches(scenario,
                       sample_strategy(scenario, {.tensor = 8, .pipeline = 8, .data = 8, .microbatch = 1})),
      192);
  EXPECT_EQ(
      num_microbatches(scenario,
                       sample_strategy(scenario, {.tensor = 8, .pipeline = 1, .data = 64, .microbatch = 8})),
      3);
}

TEST(LayersOfStages, AreEvenWithLongerStagesInTheMiddle) {
  struct Split {
    std::int64_t layers;
    std::int32_t stages;
    std::vector<std::int32_t> list;
  };
  for (const Split& row :
       {Split{4, 1, {4}}, Split{4, 4, {1, 1, 1, 1}}, Split{5, 4, {1, 1, 2, 1}}, Split{6, 4, {1, 2, 2, 1}},
        Split{7, 3, {2, 3, 2}}, Split{8, 3, {2, 3, 3}}, Split{3, 2, {1, 2}}}) {
    Scenario scenario = tiny_scenario(row.stages);
    scenario.model.num_layers = row.layers;
    EXPECT_EQ(layers_of_stages(scenario, sample_strategy(scenario, {.pipeline = row.stages})), row.list);
  }
}

TEST(LayersOfStages, AlwaysSumUpAndDifferByOneAtMost) {
  Scenario scenario = tiny_scenario(1);
  for (std::int32_t stages = 1; stages <= 24; ++stages) {
    for (std::int32_t layers = stages; layers <= 60; ++layers) {
      scenario.model.num_layers = layers;
      const auto list = layers_of_stages(scenario, sample_strategy(scenario, {.pipeline = stages}));
      EXPECT_EQ(std::accumulate(list.begin(), list.end(), 0), layers);
      EXPECT_LE(*std::max_element(list.begin(), list.end()) - *std::min_element(list.begin(), list.end()), 1);
      EXPECT_LE(list.front(), *std::max_element(list.begin(), list.end()));
      if (layers % stages <= stages - 2) {
        EXPECT_EQ(list.front(), layers / stages);
        EXPECT_EQ(list.back(), layers / stages);
      }
    }
  }
}

TEST(LayersOfStages, FollowTheStrategysOwnList) {
  const Scenario scenario = tiny_scenario(2);
  Strategy strategy = sample_strategy(scenario, {.pipeline = 2});
  strategy.layers_per_stage = {3, 1};
  EXPECT_EQ(layers_of_stages(scenario, strategy), (std::vector<std::int32_t>{3, 1}));
}

TEST(BlockOptionsOf, TheProfileAndTheStrategy) {
  const Scenario scenario = gpt3_scenario();
  const BlockOptions options = block_options(
      scenario, sample_strategy(scenario, {.tensor = 4, .pipeline = 8, .data = 16, .microbatch = 2}));
  EXPECT_EQ(options, (BlockOptions{.microbatch_size = 2,
                                   .sequence_length = 2048,
                                   .tensor_parallel = 4,
                                   .overlap_tensor = true,
                                   .vocab_padding = 128,
                                   .compute_bytes = 2,
                                   .gradient_bytes = 4,
                                   .dropout = true}));
  Scenario flash = scenario;
  flash.software.flash_attention.value = true;
  EXPECT_TRUE(block_options(flash, sample_strategy(flash, {})).flash_attention);
  EXPECT_FALSE(block_options(flash, sample_strategy(flash, {})).flash_skips_masked);
  flash.software.flash_skips_masked.value = true;
  EXPECT_TRUE(block_options(flash, sample_strategy(flash, {})).flash_skips_masked);
  Scenario narrow = scenario;
  narrow.software.gradient_bytes.value = 0;  // as wide as in compute
  EXPECT_EQ(block_options(narrow, sample_strategy(narrow, {})).gradient_bytes, 2);
  narrow.precision = Precision::kFp32;
  EXPECT_EQ(block_options(narrow, sample_strategy(narrow, {})).gradient_bytes, 4);
}

}  // namespace
}  // namespace portolan
