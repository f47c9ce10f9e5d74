#include <gtest/gtest.h>

#include <string>

#include "model/attended_pairs.h"
#include "model/block.h"
#include "sample_models.h"

namespace portolan {
namespace {

/// 2 sequences of 4 tokens (8 rows) in bf16.
BlockOptions flash_options(bool skips_masked = false) {
  BlockOptions options;
  options.microbatch_size = 2;
  options.sequence_length = 4;
  options.compute_bytes = 2;
  options.flash_attention = true;
  options.flash_skips_masked = skips_masked;
  return options;
}

const GroupedKernel& only(const std::vector<GroupedKernel>& kernels, KernelKind kind) {
  const GroupedKernel* found = nullptr;
  for (const GroupedKernel& grouped : kernels) {
    if (grouped.kernel.kind == kind) {
      EXPECT_EQ(found, nullptr) << "two of " << kernel_name(kind);
      found = &grouped;
    }
  }
  EXPECT_NE(found, nullptr) << "no " << kernel_name(kind);
  return *found;
}

std::string names_of(const Block& block, const Kernel& kernel) {
  std::string names;
  for (const Operand& operand : kernel.operands) {
    names += (names.empty() ? "" : " ") + block.tensors[static_cast<std::size_t>(operand.tensor)].name;
  }
  return names;
}

TEST(FlashAttention, IsOneKernelEachWayInPlaceOfScoresSoftmaxDropoutAndContext) {
  for (const bool dropout : {false, true}) {
    BlockOptions options = flash_options();
    options.dropout = dropout;
    const Block layer = layer_block(small_gpt(), options);
    const GroupedKernel& forward = only(layer.forward, KernelKind::kFlashAttentionForward);
    EXPECT_EQ(forward.group, KernelGroup::kAttentionCore);
    EXPECT_EQ(names_of(layer, forward.kernel), "attention.context attention.lse qkv.output");
    EXPECT_EQ(names_of(layer, only(layer.backward, KernelKind::kFlashAttentionBackward).kernel),
              "qkv.gradient attention.context_gradient attention.context attention.lse qkv.output");
    for (const auto* list : {&layer.forward, &layer.backward}) {
      for (const GroupedKernel& grouped : *list) {
        const std::string_view name = kernel_name(grouped.kernel.kind);
        EXPECT_FALSE(name.starts_with("attention_")) << name;
        EXPECT_NE(grouped.group, KernelGroup::kAttentionContext);
      }
    }
    for (const Tensor& tensor : layer.tensors) {
      EXPECT_NE(tensor.name, "attention.dropout_mask") << "made again from its seed";
    }
  }
}

TEST(FlashAttention, ReadsQueriesAndKeysFromTheirCopyWhereHeadsHaveNorms) {
  const Block layer = layer_block(small_qwen3(), flash_options());
  EXPECT_EQ(names_of(layer, only(layer.forward, KernelKind::kFlashAttentionForward).kernel),
            "attention.context attention.lse query_key.output qkv.output");
  EXPECT_EQ(names_of(layer, only(layer.backward, KernelKind::kFlashAttentionBackward).kernel),
            "qkv.gradient attention.context_gradient attention.context attention.lse query_key.output "
            "qkv.output");
}

TEST(FlashAttention, DoesTwoProductsForwardAndFiveBackward) {
  // One product: 2 x 2 sequences x 4 heads x 4 x 4 pairs x 4 = 1024 FLOPs.
  const Block whole = layer_block(small_gpt(), flash_options());
  EXPECT_EQ(only(whole.forward, KernelKind::kFlashAttentionForward).kernel.flops.value, 2 * 1024);
  EXPECT_EQ(only(whole.backward, KernelKind::kFlashAttentionBackward).kernel.flops.value, 5 * 1024);
  // Of 16 pairs, 6 below the diagonal and its 4: 640 FLOPs.
  const Block causal = layer_block(small_gpt(), flash_options(true));
  EXPECT_EQ(only(causal.forward, KernelKind::kFlashAttentionForward).kernel.flops.value, 2 * 640);
  EXPECT_EQ(only(causal.backward, KernelKind::kFlashAttentionBackward).kernel.flops.value, 5 * 640);
}

TEST(FlashAttention, DoesForwardWhatTheUnfusedProductsDo) {
  for (const TransformerConfig& config : all_styles()) {
    BlockOptions options = flash_options();
    const auto products = [&](bool flash) {
      options.flash_attention = flash;
      Flops sum;
      for (const GroupedKernel& grouped : layer_block(config, options).forward) {
        sum += is_attention_gemm(grouped.kernel.kind) ? grouped.kernel.flops : Flops(0);
      }
      return sum.value;
    };
    EXPECT_GT(products(true), 0);
    EXPECT_DOUBLE_EQ(products(true), products(false));
  }
}

TEST(FlashAttention, AttendedPairsAreCountedToTheDiagonal) {
  for (std::int64_t tokens = 1; tokens <= 12; ++tokens) {
    std::int64_t pairs = 0;
    for (std::int64_t query = 0; query < tokens; ++query) {
      for (std::int64_t key = 0; key <= query; ++key) {
        ++pairs;
      }
    }
    BlockOptions options = flash_options(true);
    options.sequence_length = tokens;
    EXPECT_EQ(attended_pairs(options, 0), pairs);
    options.flash_skips_masked = false;
    EXPECT_EQ(attended_pairs(options, 0), tokens * tokens);
  }
}

TEST(FlashAttention, PairsOutsideAWindowAreLeftOut) {
  for (std::int64_t tokens = 1; tokens <= 12; ++tokens) {
    for (std::int64_t window = 1; window <= 13; ++window) {
      std::int64_t pairs = 0;
      for (std::int64_t query = 0; query < tokens; ++query) {
        for (std::int64_t key = 0; key <= query; ++key) {
          pairs += query - key < window ? 1 : 0;
        }
      }
      BlockOptions options = flash_options(true);
      options.sequence_length = tokens;
      options.flash_window = window;
      EXPECT_EQ(attended_pairs(options, 0), pairs) << tokens << " tokens, window " << window;
    }
  }
}

// 2 tokens of 4: 3 pairs of the first two queries, 2 of each other: 7 where the triangle has 10.
TEST(FlashAttention, AWindowSavesProductsAndNoBytes) {
  BlockOptions options = flash_options(true);
  const Block causal = layer_block(small_gpt(), options);
  options.flash_window = 2;
  const Block windowed = layer_block(small_gpt(), options);
  const auto compare = [](const Kernel& kernel, const Kernel& whole) {
    EXPECT_DOUBLE_EQ(kernel.flops.value, whole.flops.value * 0.7);
    EXPECT_EQ(kernel.bytes, whole.bytes);
    EXPECT_EQ(kernel.shape.window, 2);
    EXPECT_EQ(kernel.shape.gemm_n, 2);
  };
  compare(only(windowed.forward, KernelKind::kFlashAttentionForward).kernel,
          only(causal.forward, KernelKind::kFlashAttentionForward).kernel);
  compare(only(windowed.backward, KernelKind::kFlashAttentionBackward).kernel,
          only(causal.backward, KernelKind::kFlashAttentionBackward).kernel);
  EXPECT_EQ(windowed.tensors, causal.tensors);
}

TEST(FlashAttention, MovesQueriesKeysValuesContextAndOneNumberARowAndHead) {
  const Block layer = layer_block(small_gpt(), flash_options());
  // qkv 8x48x2, context 8x16x2, lse 8x4x4; backward each of the former with its gradient.
  EXPECT_EQ(only(layer.forward, KernelKind::kFlashAttentionForward).kernel.bytes.value, 768 + 256 + 128);
  EXPECT_EQ(only(layer.backward, KernelKind::kFlashAttentionBackward).kernel.bytes.value,
            2 * (768 + 256) + 128);
}

TEST(FlashAttention, BytesAndTensorsGrowWithTheSequenceNotItsSquare) {
  for (const TransformerConfig& config : all_styles()) {
    BlockOptions options = flash_options();
    const Block once = layer_block(config, options);
    options.sequence_length *= 2;
    const Block twice = layer_block(config, options);
    for (const KernelKind kind : {KernelKind::kFlashAttentionForward, KernelKind::kFlashAttentionBackward}) {
      const bool forward = kind == KernelKind::kFlashAttentionForward;
      EXPECT_EQ(only(forward ? twice.forward : twice.backward, kind).kernel.bytes,
                only(forward ? once.forward : once.backward, kind).kernel.bytes * 2);
    }
    for (std::size_t i = 0; i < once.tensors.size(); ++i) {
      EXPECT_LE(twice.tensors[i].elements, 2 * once.tensors[i].elements) << once.tensors[i].name;
    }
  }
}

TEST(FlashAttention, KeepsAlibiWithinTheKernel) {
  const Block layer = layer_block(small_bloom(), flash_options());
  EXPECT_EQ(only(layer.forward, KernelKind::kFlashAttentionForward).kernel.scalar, kAlibiExponent);
  EXPECT_EQ(only(layer.backward, KernelKind::kFlashAttentionBackward).kernel.scalar, kAlibiExponent);
}

}  // namespace
}  // namespace portolan
