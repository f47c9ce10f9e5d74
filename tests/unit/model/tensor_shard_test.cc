#include <gtest/gtest.h>

#include <map>
#include <string>

#include "model/block.h"
#include "sample_models.h"

namespace portolan {
namespace {

/// Parameters that every rank of a tensor-parallel group holds whole: norms, and what is added after the
/// all-reduce.
bool replicated(const std::string& name) {
  return name.starts_with("norm") || name == "query_norm.gain" || name == "key_norm.gain" ||
         name.ends_with("_latent_norm.gain") || name.ends_with("_down.weight") || name == "projection.bias" ||
         name == "fc2.bias" || name == "position.weight";
}

TransformerConfig divisible(TransformerConfig config) {
  config.num_heads = 8;
  config.num_kv_heads = config.num_kv_heads == 4 ? 8 : 4;
  config.vocab_size = 24;
  return config;
}

std::vector<Block> blocks_of(const TransformerConfig& config, std::int64_t tp, bool divided = false) {
  BlockOptions options;
  options.sequence_parallel = divided;
  options.microbatch_size = 2;
  options.sequence_length = 4;
  options.tensor_parallel = tp;
  return {embedding_block(config, options), layer_block(config, options), head_block(config, options, 1.0)};
}

TEST(TensorShard, ShardsOfParametersSumUpToTheWhole) {
  for (const TransformerConfig& style : all_styles()) {
    const TransformerConfig config = divisible(style);
    const std::vector<Block> whole = blocks_of(config, 1);
    for (const std::int64_t tp : {2, 4}) {
      const std::vector<Block> shard = blocks_of(config, tp);
      for (std::size_t b = 0; b < whole.size(); ++b) {
        ASSERT_EQ(shard[b].tensors.size(), whole[b].tensors.size());
        for (std::size_t i = 0; i < whole[b].tensors.size(); ++i) {
          const Tensor& one = whole[b].tensors[i];
          const Tensor& part = shard[b].tensors[i];
          EXPECT_EQ(part.name, one.name);
          if (one.role == TensorRole::kParameter) {
            EXPECT_EQ(part.elements * (replicated(one.name) ? 1 : tp), one.elements) << one.name;
          }
          if (one.role == TensorRole::kInput || one.role == TensorRole::kOutput ||
              one.role == TensorRole::kHiddenGradient) {
            EXPECT_EQ(part.elements, one.elements) << one.name;
          }
        }
      }
    }
  }
}

TEST(TensorShard, ShardsOfEveryProductSumUpToTheWhole) {
  for (const TransformerConfig& style : all_styles()) {
    const TransformerConfig config = divisible(style);
    for (const std::int64_t tp : {2, 4}) {
      for (std::size_t b = 0; b < 3; ++b) {
        std::map<KernelKind, double> whole;
        for (const auto& [degree, sign] : {std::pair{std::int64_t{1}, 1.0}, {tp, -static_cast<double>(tp)}}) {
          // Products that every rank does with all weights are shared out where the sequence is divided.
          const Block block = blocks_of(config, degree, config.latent.has_value())[b];
          for (const auto* list : {&block.forward, &block.backward}) {
            for (const GroupedKernel& grouped : *list) {
              if (is_gemm(grouped.kernel.kind)) {
                whole[grouped.kernel.kind] += sign * grouped.kernel.flops.value;
              }
            }
          }
        }
        for (const auto& [kind, difference] : whole) {
          EXPECT_DOUBLE_EQ(difference, 0) << kernel_name(kind);
        }
      }
    }
  }
}

TEST(TensorShard, ALayerAllReducesItsHiddenStateTwiceEachWay) {
  // Shoeybi et al. 2019 (arXiv 1909.08053), figure 4: after attention and MLP in forward, before both in
  // backward.
  const TransformerConfig config = divisible(all_styles().front());
  for (const std::int64_t tp : {1, 2, 4}) {
    const Block layer = blocks_of(config, tp)[1];
    const Bytes hidden(2 * 4 * 16 * 4);  // sequences x tokens x hidden x 4 B
    for (const auto* list : {&layer.forward, &layer.backward}) {
      int count = 0;
      for (const GroupedKernel& grouped : *list) {
        if (grouped.kernel.kind == KernelKind::kTensorAllReduce) {
          ++count;
          EXPECT_EQ(grouped.kernel.bytes, hidden);
        }
      }
      EXPECT_EQ(count, tp == 1 ? 0 : 2);
    }
  }
}

TEST(TensorShard, VocabularyIsPaddedToAMultipleOfPaddingTimesDegree) {
  TransformerConfig config = gpt({.layers = 1, .hidden = 16, .heads = 8, .vocab = 50257, .positions = 8});
  BlockOptions options;
  EXPECT_EQ(padded_vocab(config, options), 50257);
  options.vocab_padding = 128;
  EXPECT_EQ(padded_vocab(config, options), 50304);  // 393 x 128
  options.tensor_parallel = 8;
  EXPECT_EQ(padded_vocab(config, options), 51200);  // 50 x 1024
  config.vocab_size = 51200;
  EXPECT_EQ(padded_vocab(config, options), 51200);
}

}  // namespace
}  // namespace portolan
