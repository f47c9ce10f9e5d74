#include <gtest/gtest.h>

#include <algorithm>
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

std::string names_of(const Block& block, const Kernel& kernel) {
  std::string names;
  for (const Operand& operand : kernel.operands) {
    names += (names.empty() ? "" : " ") + block.tensors[static_cast<std::size_t>(operand.tensor)].name;
  }
  return names;
}

TEST(VariantBlock, AParallelResidualSumsOverTheRanksOnceForward) {
  const Block layer = layer_block(small_neox(), narrow(2));
  EXPECT_EQ(of_kind(layer.forward, KernelKind::kTensorAllReduce).size(), 1U);
  EXPECT_EQ(of_kind(layer.backward, KernelKind::kTensorAllReduce).size(), 2U) << "each norm has an input";
  const std::vector<Kernel> sums = of_kind(layer.forward, KernelKind::kBranchSum);
  ASSERT_EQ(sums.size(), 1U);
  EXPECT_EQ(names_of(layer, sums[0]), "output projection.part fc2.part projection.bias fc2.bias");
  // Both norms read the layer's input.
  for (const Kernel& norm : of_kind(layer.forward, KernelKind::kLayerNormForward)) {
    EXPECT_NE(names_of(layer, norm).find(" input "), std::string::npos) << names_of(layer, norm);
  }
}

TEST(VariantBlock, AParallelResidualGathersItsGradientOnceWhereTheSequenceIsDivided) {
  const Block layer = layer_block(small_neox(), narrow(2, true));
  // Forward: both norms' outputs. Backward: the gradient, and both norms' outputs again.
  EXPECT_EQ(of_kind(layer.forward, KernelKind::kTensorAllGather).size(), 2U);
  EXPECT_EQ(of_kind(layer.forward, KernelKind::kTensorReduceScatter).size(), 1U);
  EXPECT_EQ(of_kind(layer.backward, KernelKind::kTensorAllGather).size(), 3U);
  EXPECT_EQ(of_kind(layer.backward, KernelKind::kTensorReduceScatter).size(), 2U);
}

TEST(VariantBlock, InAParallelResidualNoBranchReadsTheGradientAfterItsTurn) {
  for (const bool split : {false, true}) {
    BlockOptions options = narrow(1);
    options.split_backward = split;
    const Block layer = layer_block(small_neox(), options);
    bool turned = false;
    for (const GroupedKernel& grouped : layer.backward) {
      turned |= grouped.kernel.kind == KernelKind::kLayerNormBackward;
      for (const Operand& operand : grouped.kernel.operands) {
        const bool gradient =
            layer.tensors[static_cast<std::size_t>(operand.tensor)].role == TensorRole::kHiddenGradient;
        EXPECT_FALSE(turned && gradient && grouped.kernel.kind != KernelKind::kLayerNormBackward);
        EXPECT_FALSE(split && gradient && operand.access != Access::kRead) << "put-off products read it";
      }
    }
  }
}

TEST(VariantBlock, PartialRotaryTouchesTheColumnsThatItTurns) {
  // 8 rows x (4 + 4 heads) x 2 columns x 2 B, read and written.
  const Block neox = layer_block(small_neox(), narrow(1));
  const Kernel part = of_kind(neox.forward, KernelKind::kRotaryForward).at(0);
  EXPECT_EQ(part.bytes.value, 2 * 8 * 8 * 2 * 2);
  EXPECT_EQ(part.shape.columns, 2);
  // All of LLaMA style's: qkv of 8 heads of 4 is read and written, as one operand.
  const Kernel whole =
      of_kind(layer_block(small_qwen2(), narrow(1)).forward, KernelKind::kRotaryForward).at(0);
  EXPECT_EQ(whole.bytes.value, 2 * 8 * 32 * 2);
  EXPECT_EQ(whole.shape.columns, 0);
}

TEST(VariantBlock, NormsOfHeadsCopyQueriesAndKeysOnly) {
  const Block layer = layer_block(small_qwen3(), narrow(1));
  const Kernel norm = of_kind(layer.forward, KernelKind::kQueryKeyNormForward).at(0);
  // 8 rows x 6 heads of query and key: 6 columns read and written, 4 B of deviation; two gains of 6.
  EXPECT_EQ(norm.bytes.value, 8 * 6 * (2 * 6 * 2 + 4) + 2 * 6 * 2);
  EXPECT_EQ(names_of(layer, norm),
            "query_key.output query_key.rstd qkv.output query_norm.gain key_norm.gain");
  EXPECT_EQ(names_of(layer, of_kind(layer.forward, KernelKind::kAttentionScoresForward).at(0)),
            "attention.probabilities query_key.output");
  EXPECT_EQ(names_of(layer, of_kind(layer.forward, KernelKind::kAttentionContextForward).at(0)),
            "attention.context attention.probabilities qkv.output");
  // A rank of two sees half of the heads, so that its gains' gradients are parts of the sum.
  for (const std::int64_t tp : {1, 2}) {
    for (const Tensor& tensor : layer_block(small_qwen3(), narrow(tp)).tensors) {
      if (tensor.name == "query_norm.gain" || tensor.name == "key_norm.gain") {
        EXPECT_EQ(tensor.partial_gradient, tp > 1);
      }
    }
  }
}

TEST(VariantBlock, ReluKeepsItsOutputInsteadOfItsInput) {
  const Block layer = layer_block(small_opt(), narrow(1));
  EXPECT_EQ(names_of(layer, of_kind(layer.backward, KernelKind::kReluBackward).at(0)),
            "activation.gradient activation.output");
  for (const GroupedKernel& grouped : layer.backward) {
    EXPECT_EQ(names_of(layer, grouped.kernel).find("fc1.output"), std::string::npos);
  }
}

TEST(VariantBlock, AlibiCostsArithmeticOfTheSoftmaxAndNoBytes) {
  TransformerConfig without = small_bloom();
  without.position = PositionEncoding::kLearned;
  const KernelKind softmax = KernelKind::kAttentionSoftmaxForward;
  const Kernel alibi = of_kind(layer_block(small_bloom(), narrow(1)).forward, softmax).at(0);
  const Kernel plain = of_kind(layer_block(without, narrow(1)).forward, softmax).at(0);
  EXPECT_EQ(alibi.bytes, plain.bytes);
  // A product and a sum for each of 2 x 4 heads x 4 x 4 scores.
  EXPECT_EQ(alibi.flops.value - plain.flops.value, 2 * 128);
  EXPECT_EQ(alibi.scalar, kAlibiExponent);
  EXPECT_EQ(plain.scalar, 0);
}

TEST(VariantBlock, AnEmbeddingNormStandsBetweenTheSumOfPartsAndTheOutput) {
  for (const bool divided : {false, true}) {
    const Block embedding = embedding_block(small_bloom(), narrow(2, divided));
    const Kernel norm = of_kind(embedding.forward, KernelKind::kLayerNormForward).at(0);
    EXPECT_EQ(names_of(embedding, norm), "output norm.mean norm.rstd word.output norm.gain norm.bias");
    EXPECT_EQ(embedding.forward.back().kernel, norm);
    EXPECT_EQ(
        names_of(embedding, embedding.backward.front().kernel),
        "word.output_gradient norm.gain.gradient norm.bias.gradient hidden_gradient word.output norm.mean "
        "norm.rstd norm.gain");
    EXPECT_EQ(
        std::ranges::count_if(embedding.tensors, [](const Tensor& t) { return t.name == "position.weight"; }),
        0);
  }
}

TEST(VariantBlock, AttentionIsAsWideAsItsHeads) {
  const Block layer = layer_block(small_qwen3(), narrow(1));
  const std::vector<Kernel> products = of_kind(layer.forward, KernelKind::kLinearForward);
  EXPECT_EQ(products.at(0).shape.columns, 8 * 6);  // 4 + 2 x 2 heads of 6
  EXPECT_EQ(products.at(1).shape.inner, 4 * 6);
  EXPECT_EQ(products.at(1).shape.columns, 16);
}

}  // namespace
}  // namespace portolan
