#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/block.h"
#include "sample_models.h"

namespace portolan {
namespace {

/// 2 sequences of 4 tokens (8 rows) in bf16 with fp32 gradients.
BlockOptions narrow(std::int64_t tensor_parallel, bool sequence_parallel = false) {
  BlockOptions options;
  options.microbatch_size = 2;
  options.sequence_length = 4;
  options.tensor_parallel = tensor_parallel;
  options.sequence_parallel = sequence_parallel;
  options.compute_bytes = 2;
  return options;
}

std::string line_of(const Block& block, const Kernel& kernel) {
  std::string line = std::string(kernel_name(kernel.kind)) + ":";
  for (const Operand& operand : kernel.operands) {
    line += " " + block.tensors[static_cast<std::size_t>(operand.tensor)].name;
  }
  return line;
}

/// Forward kernels of the projections: "kind: operand operand".
std::vector<std::string> projections(const Block& block) {
  std::vector<std::string> lines;
  for (const GroupedKernel& grouped : block.forward) {
    if (grouped.group == KernelGroup::kQkv) {
      lines.push_back(line_of(block, grouped.kernel));
    }
  }
  return lines;
}

std::vector<std::string> lines_of(const Block& block, KernelKind kind) {
  std::vector<std::string> lines;
  for (const auto* list : {&block.forward, &block.backward}) {
    for (const Kernel& kernel : of_kind(*list, kind)) {
      lines.push_back(line_of(block, kernel));
    }
  }
  return lines;
}

TEST(LatentAttention, GoesDownToLatentVectorsAndUpToHeads) {
  EXPECT_EQ(projections(layer_block(small_latent(), narrow(2))),
            (std::vector<std::string>{
                "linear_forward: query_down.output norm1.output query_down.weight",
                "rmsnorm_forward: query_latent_norm.output query_latent_norm.rstd query_down.output "
                "query_latent_norm.gain",
                "linear_forward: query_up.output query_latent_norm.output query_up.weight",
                "linear_forward: key_value_down.output norm1.output key_value_down.weight",
                "latent_split_forward: key_value_latent rotary_key key_value_down.output",
                "rmsnorm_forward: key_value_latent_norm.output key_value_latent_norm.rstd key_value_latent "
                "key_value_latent_norm.gain",
                "linear_forward: key_value_up.output key_value_latent_norm.output key_value_up.weight",
                "rotary_forward: query_up.output",
                "latent_key_value_forward: key_value key_value_up.output rotary_key"}));
}

TEST(LatentAttention, OfDividedSequencesGathersLatentVectorsInsteadOfHiddenStates) {
  const Block layer = layer_block(small_latent(), narrow(2, true));
  EXPECT_EQ(lines_of(layer, KernelKind::kTensorAllGather),
            (std::vector<std::string>{
                "tensor_all_gather: query_latent_norm.gathered query_latent_norm.output",
                "tensor_all_gather: key_value_latent_norm.gathered key_value_latent_norm.output",
                "tensor_all_gather: rotary_key.gathered rotary_key",
                "tensor_all_gather: norm2.gathered norm2.output",
                "tensor_all_gather: fc2.gathered_gradient hidden_gradient",
                "tensor_all_gather: norm2.gathered_again norm2.output",
                "tensor_all_gather: projection.gathered_gradient hidden_gradient",
                "tensor_all_gather: key_value_latent_norm.gathered_again "
                "key_value_latent_norm.output",
                "tensor_all_gather: query_latent_norm.gathered_again query_latent_norm.output"}));
  // 8 rows of 6, 7 and 2 columns in bf16.
  const std::vector<Kernel> gathers = of_kind(layer.forward, KernelKind::kTensorAllGather);
  EXPECT_EQ(gathers.at(0).bytes.value, 8 * 6 * 2);
  EXPECT_EQ(gathers.at(1).bytes.value, 8 * 7 * 2);
  EXPECT_EQ(gathers.at(2).bytes.value, 8 * 2 * 2);
}

TEST(LatentAttention, SumsGradientsOfWhatAllHeadsShareOverTheRanks) {
  for (const bool divided : {false, true}) {
    const Block layer = layer_block(small_latent(), narrow(2, divided));
    const KernelKind kind = divided ? KernelKind::kTensorReduceScatter : KernelKind::kTensorAllReduce;
    std::vector<std::int64_t> bytes;
    for (const Kernel& sum : of_kind(layer.backward, kind)) {
      bytes.push_back(sum.bytes.value);
    }
    // Of the MLP's input; the rotary key; latent vectors of keys and values, of queries.
    EXPECT_EQ(bytes, (std::vector<std::int64_t>{8 * 16 * 2, 8 * 2 * 2, 8 * 7 * 2, 8 * 6 * 2}));
    EXPECT_EQ(of_kind(layer.forward, kind).size(), 2U) << "projection and fc2";
  }
}

TEST(LatentAttention, WithoutAQueryRankQueriesComeFromHiddenStates) {
  EXPECT_EQ(projections(layer_block(small_latent_without_query_rank(), narrow(1))).front(),
            "linear_forward: query.output norm1.output query.weight");
  const Block divided = layer_block(small_latent_without_query_rank(), narrow(2, true));
  EXPECT_EQ(projections(divided).at(0), "tensor_all_gather: norm1.gathered norm1.output");
  EXPECT_EQ(projections(divided).at(1), "linear_forward: query.output norm1.gathered query.weight");
  EXPECT_EQ(projections(divided).at(2),
            "linear_forward: key_value_down.output norm1.output key_value_down.weight")
      << "of the rows that a rank holds";
}

TEST(LatentAttention, GradientsOfDuplicatedWeightsArePartsWhereTheSequenceIsDivided) {
  for (const bool divided : {false, true}) {
    for (const Tensor& t : layer_block(small_latent(), narrow(2, divided)).tensors) {
      if (t.role == TensorRole::kParameter) {
        const bool everywhere = t.name.find("norm") != std::string::npos || t.name.ends_with("_down.weight");
        EXPECT_EQ(t.partial_gradient, divided && everywhere) << t.name;
      }
    }
  }
}

TEST(LatentAttention, TheCoreReadsQueriesInOneTensorAndKeysAndValuesInAnother) {
  const Block layer = layer_block(small_latent(), narrow(1));
  EXPECT_EQ(lines_of(layer, KernelKind::kAttentionScoresForward),
            (std::vector<std::string>{
                "attention_scores_forward: attention.probabilities query_up.output key_value"}));
  EXPECT_EQ(lines_of(layer, KernelKind::kAttentionContextForward),
            (std::vector<std::string>{
                "attention_context_forward: attention.context attention.probabilities key_value"}));
  EXPECT_EQ(
      lines_of(layer, KernelKind::kAttentionContextBackward),
      (std::vector<std::string>{"attention_context_backward: attention.scores_gradient key_value.gradient "
                                "attention.context_gradient attention.probabilities key_value"}));
  EXPECT_EQ(lines_of(layer, KernelKind::kAttentionScoresBackward),
            (std::vector<std::string>{
                "attention_scores_backward: query.gradient key_value.gradient attention.scores_gradient "
                "query_up.output key_value"}));
  BlockOptions options = narrow(1);
  options.flash_attention = true;
  EXPECT_EQ(lines_of(layer_block(small_latent(), options), KernelKind::kFlashAttentionForward),
            (std::vector<std::string>{
                "flash_attention_forward: attention.context attention.lse query_up.output key_value"}));
}

TEST(LatentAttention, TheRingSendsKeysAndValuesAsTheyLie) {
  BlockOptions options = narrow(2);
  options.context_parallel = 2;
  options.flash_attention = true;
  const Block layer = layer_block(small_latent(), options);
  EXPECT_EQ(lines_of(layer, KernelKind::kKeyValuePack), std::vector<std::string>{});
  EXPECT_EQ(lines_of(layer, KernelKind::kContextShift),
            (std::vector<std::string>{"context_shift: key_value.received1 key_value",
                                      "context_shift: key_value.received_again1 key_value",
                                      "context_shift: key_value.gradient_sum1 key_value.gradient_part0",
                                      "context_shift: key_value.gradient key_value.gradient_sum1"}));
  for (const auto* list : {&layer.forward, &layer.backward}) {
    for (const Kernel& shift : of_kind(*list, KernelKind::kContextShift)) {
      EXPECT_EQ(shift.bytes.value, 4 * 2 * (5 + 4) * 2);  // half of the rows and heads
    }
  }
}

TEST(LatentAttention, KernelsBetweenProductsMoveTheirOperandsOnce) {
  const Block layer = layer_block(small_latent(), narrow(2));
  // 8 rows of 7 + 2 columns in bf16, read and written.
  EXPECT_EQ(of_kind(layer.forward, KernelKind::kLatentSplitForward).at(0).bytes.value, 2 * 8 * 9 * 2);
  EXPECT_EQ(of_kind(layer.backward, KernelKind::kLatentSplitBackward).at(0).bytes.value, 2 * 8 * 9 * 2);
  // 2 heads: 5 + 4 columns of key and value out of 3 + 4 and the rotary key.
  for (const Kernel& pack : {of_kind(layer.forward, KernelKind::kLatentKeyValueForward).at(0),
                             of_kind(layer.backward, KernelKind::kLatentKeyValueBackward).at(0)}) {
    EXPECT_EQ(pack.bytes.value, 8 * 2 * (2 * 9 + 2 * 7 + 2));
    EXPECT_EQ(pack.scalar, 10000);
  }
  // Rotary columns of 2 heads of queries.
  EXPECT_EQ(of_kind(layer.forward, KernelKind::kRotaryForward).at(0).bytes.value, 2 * 8 * 2 * 2 * 2);
}

TEST(LatentAttention, EagerCodeTurnsTheSharedKeyApart) {
  BlockOptions options = narrow(1);
  options.fused_rotary = false;
  const Block layer = layer_block(small_latent(), options);
  for (const auto* list : {&layer.forward, &layer.backward}) {
    EXPECT_EQ(of_kind(*list, KernelKind::kRotaryForward).size(), 0U);
    EXPECT_EQ(of_kind(*list, KernelKind::kRotaryBackward).size(), 0U);
    // Three operations each for queries and key, one joins what was turned of queries with the rest.
    EXPECT_EQ(of_kind(*list, KernelKind::kElementwise).size(), 7U);
  }
  EXPECT_EQ(of_kind(layer.forward, KernelKind::kLatentKeyValueForward).at(0).scalar, 0);
}

/// Forward and backward products of a layer, by hand: twice the forward's again for backward.
double products_by_hand(const TransformerConfig& config, double rows, double keys) {
  const LatentAttention& l = *config.latent;
  const auto h = static_cast<double>(config.hidden_size);
  const auto n = static_cast<double>(config.num_heads);
  const auto qk = static_cast<double>(l.qk_nope_head_dim + l.qk_rope_head_dim);
  const auto nope = static_cast<double>(l.qk_nope_head_dim);
  const auto rope = static_cast<double>(l.qk_rope_head_dim);
  const auto v = static_cast<double>(l.v_head_dim);
  const auto q_rank = static_cast<double>(l.q_lora_rank);
  const auto kv_rank = static_cast<double>(l.kv_lora_rank);
  const double query = q_rank == 0 ? h * n * qk : q_rank * (h + n * qk);
  const double key_value = h * (kv_rank + rope) + kv_rank * n * (nope + v);
  const double core = n * keys * (qk + v);
  const double mlp = 3 * h * static_cast<double>(config.ffn_size);
  return 3 * 2 * rows * (query + key_value + core + n * v * h + mlp);
}

double products_of(const Block& block) {
  double sum = 0;
  for (const auto* list : {&block.forward, &block.backward}) {
    for (const GroupedKernel& grouped : *list) {
      sum += is_gemm(grouped.kernel.kind) ? grouped.kernel.flops.value : 0;
    }
  }
  return sum;
}

TEST(LatentAttention, FlopsAreThoseOfTheProductsByHand) {
  for (const TransformerConfig& config : {small_latent(), small_latent_without_query_rank()}) {
    EXPECT_DOUBLE_EQ(products_of(layer_block(config, narrow(1))), products_by_hand(config, 8, 4));
    // Ranks that divide the sequence share all products.
    for (const std::int64_t tp : {2, 4}) {
      EXPECT_DOUBLE_EQ(static_cast<double>(tp) * products_of(layer_block(config, narrow(tp, true))),
                       products_by_hand(config, 8, 4));
    }
    // Flash attention makes the scores again: a product of query width more.
    BlockOptions flash = narrow(1);
    flash.flash_attention = true;
    EXPECT_DOUBLE_EQ(products_of(layer_block(config, flash)),
                     products_by_hand(config, 8, 4) + 2.0 * 8 * 4 * 4 * 5);
    // Of the whole model, for one sequence, with the head.
    EXPECT_DOUBLE_EQ(model_flops_per_sequence(config, 4).value,
                     2 * products_by_hand(config, 4, 4) + 3 * 2.0 * 4 * 16 * 20);
  }
}

/// Sizes of arXiv 2412.19437, section 4.2.
TransformerConfig deepseek_v3() {
  TransformerConfig config =
      llama({.layers = 61, .hidden = 7168, .heads = 128, .kv_heads = 128, .ffn = 18432});
  config.vocab_size = 129280;
  config.experts = {.num_experts = 256,
                    .experts_per_token = 8,
                    .expert_ffn_size = 2048,
                    .shared_ffn_size = 2048,
                    .first_dense_layers = 3,
                    .router_bias = true};
  config.latent = {.q_lora_rank = 1536,
                   .kv_lora_rank = 512,
                   .qk_nope_head_dim = 128,
                   .qk_rope_head_dim = 64,
                   .v_head_dim = 128};
  return config;
}

TEST(LatentAttention, DeepSeekV3HasThePublishedParameters) {
  // 671 B in all, of which 37 B for each token: arXiv 2412.19437, abstract and section 4.2.
  const TransformerConfig config = deepseek_v3();
  EXPECT_EQ(static_cast<double>(num_parameters(config)) / 1e9, 671.026419200);
  EXPECT_NEAR(static_cast<double>(num_active_parameters(config)) / 1e9, 37, 0.6);
  // The blocks declare as many; of one layer, attention by hand: 7168 x 1536 + 1536 + 1536 x 128 x 192, 7168
  // x 576 + 512 + 512 x 128 x 256, 128 x 128 x 7168.
  std::int64_t attention = 0;
  for (const Tensor& t : layer_block(config, narrow(1)).tensors) {
    const bool mlp = t.name.starts_with("fc") || t.name.starts_with("norm");
    attention += t.role == TensorRole::kParameter && !mlp ? t.elements : 0;
  }
  EXPECT_EQ(attention, 11'010'048 + 1'536 + 37'748'736 + 4'128'768 + 512 + 16'777'216 + 117'440'512);
}

TEST(LatentAttention, OnlyTheOutputProjectionHasABias) {
  TransformerConfig config = small_latent();
  config.linear_bias = true;
  std::vector<std::string> biases;
  for (const Tensor& t : layer_block(config, narrow(1)).tensors) {
    if (t.role == TensorRole::kParameter && t.name.ends_with(".bias")) {
      biases.push_back(t.name);
    }
  }
  EXPECT_EQ(biases, (std::vector<std::string>{"projection.bias", "fc1.bias", "fc2.bias"}));
  EXPECT_EQ(num_layer_parameters(config) - num_layer_parameters(small_latent()), 16 + 2 * 24 + 16);
}

}  // namespace
}  // namespace portolan
