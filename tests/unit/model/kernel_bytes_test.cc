#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "model/block.h"
#include "sample_models.h"

namespace portolan {
namespace {

/// 2 sequences of 4 tokens (8 rows), hidden 16, 4 heads of 4, MLP 64, vocabulary 20; bf16 compute, fp32
/// gradients.
BlockOptions narrow_options() {
  BlockOptions options;
  options.microbatch_size = 2;
  options.sequence_length = 4;
  options.compute_bytes = 2;
  options.gradient_bytes = 4;
  return options;
}
TransformerConfig small() {
  return gpt({.layers = 2, .hidden = 16, .heads = 4, .vocab = 20, .positions = 8});
}

Bytes bytes_of(const std::vector<GroupedKernel>& kernels, KernelKind kind, int which = 0) {
  for (const GroupedKernel& grouped : kernels) {
    if (grouped.kernel.kind == kind && which-- == 0) {
      return grouped.kernel.bytes;
    }
  }
  ADD_FAILURE() << "no " << kernel_name(kind);
  return Bytes(0);
}

int count_of(const std::vector<GroupedKernel>& kernels, KernelKind kind) {
  return static_cast<int>(std::count_if(kernels.begin(), kernels.end(), [&](const GroupedKernel& grouped) {
    return grouped.kernel.kind == kind;
  }));
}

TEST(KernelBytes, OfALayerCountEachOperandOnceAndUpdatedOnesTwice) {
  const Block layer = layer_block(small(), narrow_options());
  // y 8x16x2, mean and rstd 8x4 each, x 8x16x2, gain and bias 16x2 each.
  EXPECT_EQ(bytes_of(layer.forward, KernelKind::kLayerNormForward).value, 256 + 64 + 256 + 64);
  // y 8x48x2, x 8x16x2, weight 48x16x2, bias 48x2.
  EXPECT_EQ(bytes_of(layer.forward, KernelKind::kLinearForward).value, 768 + 256 + 1536 + 96);
  // Scores 2x4 heads of 4x4, 2 B each, and qkv 8x48x2.
  EXPECT_EQ(bytes_of(layer.forward, KernelKind::kAttentionScoresForward).value, 256 + 768);
  // Scores read and written.
  EXPECT_EQ(bytes_of(layer.forward, KernelKind::kAttentionSoftmaxForward).value, 512);
  // y 8x64x2, x the same.
  EXPECT_EQ(bytes_of(layer.forward, KernelKind::kGeluForward).value, 2048);
  // y read and written, x read, bias of the projection read.
  EXPECT_EQ(bytes_of(layer.forward, KernelKind::kResidualAdd).value, 2 * 256 + 256 + 32);
  // Weight gradient of fc2 in fp32 read and written: 2 x 16x64x4; dy 8x16x2, x 8x64x2.
  EXPECT_EQ(bytes_of(layer.backward, KernelKind::kLinearBackwardWeight).value, 8192 + 256 + 1024);
  // dx read and written 2x256, dgain and dbias 2 x 16x4 each, dy and x 256 each, mean, rstd 32 each, gain 32.
  EXPECT_EQ(bytes_of(layer.backward, KernelKind::kLayerNormBackward).value, 512 + 256 + 512 + 64 + 32);
}

TEST(KernelBytes, OfUnfusedSoftmaxAreThreePassesEachWay) {
  BlockOptions options = narrow_options();
  options.fused_softmax = false;
  const Block layer = layer_block(small(), options);
  for (const auto& [list, softmax] : {std::pair{layer.forward, KernelKind::kAttentionSoftmaxForward},
                                      std::pair{layer.backward, KernelKind::kAttentionSoftmaxBackward}}) {
    EXPECT_EQ(count_of(list, KernelKind::kElementwise), 2);
    EXPECT_EQ(bytes_of(list, KernelKind::kElementwise, 0).value, 512);
    EXPECT_EQ(bytes_of(list, KernelKind::kElementwise, 1).value, 512);
    EXPECT_EQ(count_of(list, softmax), 1);
  }
}

TEST(KernelBytes, OfDropoutAddMasksOfOneByte) {
  BlockOptions options = narrow_options();
  options.dropout = true;
  const Block layer = layer_block(small(), options);
  // Dropped scores and scores 256 each, mask 2x4x4x4 x 1 B.
  EXPECT_EQ(bytes_of(layer.forward, KernelKind::kAttentionDropoutForward).value, 256 + 128 + 256);
  // As without, and the mask of 8x16 x 1 B.
  EXPECT_EQ(bytes_of(layer.forward, KernelKind::kResidualAdd).value, 2 * 256 + 256 + 32 + 128);
}

TEST(KernelBytes, OfTheEndsTouchRowsOfTablesOnly) {
  const Block embedding = embedding_block(small(), narrow_options());
  // x written, rows of word and position tables read: 3 x 8x16x2; tokens 8x4.
  EXPECT_EQ(bytes_of(embedding.forward, KernelKind::kEmbeddingForward).value, 3 * 256 + 32);
  // dx read, rows of both gradients read and written in fp32: 2 x 2 x 8x16x4; tokens.
  EXPECT_EQ(bytes_of(embedding.backward, KernelKind::kEmbeddingBackward).value, 256 + 2048 + 32);
  const Block head = head_block(small(), narrow_options(), 1.0);
  // fp32 logits 8x20x4 read and written, loss 8 B read and written, targets 8x4.
  EXPECT_EQ(bytes_of(head.forward, KernelKind::kCrossEntropyForward).value, 2 * 640 + 16 + 32);
}

TEST(KernelBytes, AreNeverNegativeAndNothingIsFree) {
  for (const TransformerConfig& config : all_styles()) {
    for (const BlockOptions& options : all_options()) {
      for (const Block& block : {embedding_block(config, options), layer_block(config, options),
                                 head_block(config, options, 1.0)}) {
        for (const auto* list : {&block.forward, &block.backward}) {
          for (const GroupedKernel& grouped : *list) {
            EXPECT_GT(grouped.kernel.bytes.value, 0) << block.name << " " << kernel_name(grouped.kernel.kind);
            EXPECT_GE(grouped.kernel.flops.value, 0);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace portolan
