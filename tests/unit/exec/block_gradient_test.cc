// The gradient of one layer, which no Program is needed for: the block's backward in double precision against
// differences of a sum over its output, on one rank and on the ranks of a tensor-parallel group.
#include <gtest/gtest.h>

#include <vector>

#include "block_run.h"
#include "model/block.h"

namespace portolan {
namespace {

/// LLaMA style of hidden 8 with 2 heads; 4 experts of width 6, 2 a token.
TransformerConfig small_experts() {
  TransformerConfig model;
  model.num_layers = 1;
  model.hidden_size = 8;
  model.num_heads = 2;
  model.num_kv_heads = 2;
  model.ffn_size = 6;
  model.vocab_size = 10;
  model.max_positions = 4;
  model.normalization = Normalization::kRmsNorm;
  model.activation = Activation::kSwiGlu;
  model.position = PositionEncoding::kRotary;
  model.linear_bias = false;
  model.experts = {.num_experts = 4, .experts_per_token = 2, .expert_ffn_size = 6};
  return model;
}

/// Sets an element of a parameter or the input on one rank, or on all that hold the same.
void set(BlockRun& run, std::size_t rank, std::size_t tensor, std::size_t element, double value) {
  for (std::size_t other = 0; other < run.num_ranks(); ++other) {
    if (other == rank || run.is_shared(tensor)) {
      run.numbers(other, tensor)[element] = value;
    }
  }
}

void expect_differences(const TransformerConfig& model, LayerKind kind, BlockOptions options = {}) {
  options.microbatch_size = 2;
  options.sequence_length = 4;
  BlockOptions alone = options;
  alone.tensor_parallel = 1;
  BlockRun run(layer_block(model, options, kind), layer_block(model, alone, kind), options);
  run.differentiate();
  const std::vector<Tensor>& tensors = run.block().tensors;
  for (std::size_t rank = 0; rank < run.num_ranks(); ++rank) {
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      if (tensors[i].role != TensorRole::kParameter && tensors[i].role != TensorRole::kInput) {
        continue;
      }
      for (std::size_t j = 0; j < run.numbers(rank, i).size(); ++j) {
        constexpr double kStep = 1e-5;
        const double gradient = run.gradient(rank, i, j);
        const double before = run.numbers(rank, i)[j];
        set(run, rank, i, j, before + kStep);
        const double above = run.sum();
        set(run, rank, i, j, before - kStep);
        const double below = run.sum();
        set(run, rank, i, j, before);
        // Rounding makes errors of about 1e-15 / step; a term that is missing is of order 0.1.
        EXPECT_NEAR(gradient, (above - below) / (2 * kStep), 1e-7)
            << tensors[i].name << " " << j << " of rank " << rank;
      }
    }
  }
}

TEST(BlockGradient, OfExpertsEqualsDifferences) { expect_differences(small_experts(), LayerKind::kExperts); }

TEST(BlockGradient, OfSharedExpertsEqualsDifferences) {
  TransformerConfig model = small_experts();
  model.experts->shared_ffn_size = 4;
  expect_differences(model, LayerKind::kExperts);
}

TEST(BlockGradient, OfExpertsWithGeluEqualsDifferences) {
  TransformerConfig model = small_experts();
  model.activation = Activation::kGelu;
  model.normalization = Normalization::kLayerNorm;
  model.linear_bias = true;
  model.experts->experts_per_token = 1;
  model.experts->shared_ffn_size = 4;
  expect_differences(model, LayerKind::kExperts);
}

TEST(BlockGradient, OfADenseLayerEqualsDifferences) {
  expect_differences(small_experts(), LayerKind::kDense);
}

/// One rank, and two that have all rows each or divide the sequence.
std::vector<BlockOptions> groups() {
  std::vector<BlockOptions> list(3);
  list[1].tensor_parallel = list[2].tensor_parallel = 2;
  list[2].sequence_parallel = true;
  return list;
}

TEST(BlockGradient, OfATensorParallelGroupEqualsDifferences) {
  for (const BlockOptions& options : groups()) {
    TransformerConfig model = small_experts();
    expect_differences(model, LayerKind::kDense, options);
    model.query_key_norm = true;
    model.linear_bias = true;
    model.activation = Activation::kGelu;
    model.normalization = Normalization::kLayerNorm;
    expect_differences(model, LayerKind::kDense, options);
  }
}

TEST(BlockGradient, OfLatentAttentionEqualsDifferences) {
  for (BlockOptions options : groups()) {
    for (const bool flash : {false, true}) {
      for (const std::int64_t query_rank : {0, 5}) {
        options.flash_attention = flash;
        TransformerConfig model = small_experts();
        model.latent = {.q_lora_rank = query_rank,
                        .kv_lora_rank = 7,
                        .qk_nope_head_dim = 3,
                        .qk_rope_head_dim = 4,
                        .v_head_dim = 2};
        expect_differences(model, LayerKind::kDense, options);
      }
    }
  }
}

}  // namespace
}  // namespace portolan
