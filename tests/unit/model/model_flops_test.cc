#include <gtest/gtest.h>

#include <algorithm>

#include "model/block.h"
#include "sample_models.h"

namespace portolan {
namespace {

TEST(ModelFlops, EqualTheFormulaOfNarayananEtAlWithoutRecomputation) {
  // 72 s l h^2 (1 + s / 6h + V / 12hl) for one sequence: SC'21, appendix, without its recomputed forward.
  struct Row {
    double layers, hidden, heads, vocab, sequence;
  };
  for (const Row& r :
       {Row{12, 768, 12, 50257, 1024}, Row{96, 12288, 96, 50257, 2048}, Row{128, 25600, 160, 51200, 2048}}) {
    const auto whole = [](double x) { return static_cast<std::int64_t>(x); };
    const TransformerConfig config = gpt({.layers = whole(r.layers),
                                          .hidden = whole(r.hidden),
                                          .heads = whole(r.heads),
                                          .vocab = whole(r.vocab),
                                          .positions = whole(r.sequence)});
    const double formula = 72 * r.sequence * r.layers * r.hidden * r.hidden *
                           (1 + r.sequence / (6 * r.hidden) + r.vocab / (12 * r.hidden * r.layers));
    EXPECT_NEAR(model_flops_per_sequence(config, whole(r.sequence)).value, formula, 1e-12 * formula);
  }
}

TEST(ModelFlops, OfLlamaCountGroupedQueriesAndTheGatedMlp) {
  // 7B at s = 2: forward of a layer and token: qkv 2 x 3 h^2, projection 2 h^2, scores and context 4 s h, MLP
  // 2 x 3 h f.
  const TransformerConfig config =
      llama({.layers = 32, .hidden = 4096, .heads = 32, .kv_heads = 32, .ffn = 11008});
  const double h = 4096, f = 11008, s = 2;
  const double layer = s * (8 * h * h + 4 * s * h + 6 * h * f);
  const double head = s * 2 * h * 32000;
  EXPECT_DOUBLE_EQ(model_flops_per_sequence(config, 2).value, 3 * (32 * layer + head));
  // 70B: keys and values have 8 heads of 64, so that qkv is 2 h (h + h / 4).
  const TransformerConfig large =
      llama({.layers = 80, .hidden = 8192, .heads = 64, .kv_heads = 8, .ffn = 28672});
  const double h2 = 8192, f2 = 28672;
  const double layer2 = s * (2 * h2 * (h2 + h2 / 4) + 2 * h2 * h2 + 4 * s * h2 + 6 * h2 * f2);
  EXPECT_DOUBLE_EQ(model_flops_per_sequence(large, 2).value, 3 * (80 * layer2 + s * 2 * h2 * 32000));
}

TEST(ModelFlops, OfASlidingWindowCountTheKeysInIt) {
  // Mistral 7B (arXiv 2310.06825, table 1): per layer and token 2 h (h + h / 2) + 2 h^2 + 6 h f, and 4 h for
  // each key seen.
  TransformerConfig config = llama({.layers = 32, .hidden = 4096, .heads = 32, .kv_heads = 8, .ffn = 14336});
  config.sliding_window = 4096;
  const double h = 4096, f = 14336;
  for (const double s : {1024.0, 4096.0, 32768.0}) {
    const double layer = s * (5 * h * h + 4 * std::min(s, 4096.0) * h + 6 * h * f);
    const double expected = 3 * (32 * layer + s * 2 * h * 32000);
    EXPECT_NEAR(model_flops_per_sequence(config, static_cast<std::int64_t>(s)).value, expected,
                1e-12 * expected);
  }
}

TEST(ModelFlops, OfExpertsCountThoseThatATokenPasses) {
  // Mixtral 8x7B (arXiv 2401.04088, table 1): forward of a layer and token: attention as above, router 2 h E,
  // two experts of 6 h f each.
  TransformerConfig config = llama({.layers = 32, .hidden = 4096, .heads = 32, .kv_heads = 8, .ffn = 14336});
  config.experts = {.num_experts = 8, .experts_per_token = 2, .expert_ffn_size = 14336};
  const double h = 4096, f = 14336;
  for (const double s : {2.0, 3.0, 4096.0}) {
    const double attention = 2 * h * (h + h / 2) + 2 * h * h + 4 * s * h;
    const double experts = 2 * h * 8 + 2 * 6 * h * f;
    const double forward = s * (32 * (attention + experts) + 2 * h * 32000);
    EXPECT_NEAR(model_flops_per_sequence(config, static_cast<std::int64_t>(s)).value, 3 * forward,
                1e-12 * forward);
  }
  // A capacity changes what is computed, not what the model needs; dense layers and shared experts count as
  // MLPs.
  TransformerConfig capacity = config;
  capacity.experts->capacity_factor = 2;
  EXPECT_EQ(model_flops_per_sequence(capacity, 64), model_flops_per_sequence(config, 64));
  config.experts->first_dense_layers = 2;
  config.experts->shared_ffn_size = 2048;
  const double s = 64;
  const double attention = 2 * h * (h + h / 2) + 2 * h * h + 4 * s * h;
  const double forward =
      s * (32 * attention + 2 * 6 * h * f + 30 * (2 * h * 8 + 2 * 6 * h * f + 6 * h * 2048) + 2 * h * 32000);
  EXPECT_NEAR(model_flops_per_sequence(config, 64).value, 3 * forward, 1e-12 * forward);
}

Flops products(const std::vector<GroupedKernel>& kernels, bool flash = false) {
  Flops sum;
  for (const GroupedKernel& grouped : kernels) {
    const KernelKind kind = grouped.kernel.kind;
    sum += is_gemm(kind) && is_flash_attention(kind) == flash ? grouped.kernel.flops : Flops(0);
  }
  return sum;
}

TEST(ModelFlops, BackwardDoesTwiceTheProductsOfForward) {
  for (const TransformerConfig& config : all_styles()) {
    for (const BlockOptions& options : all_options()) {
      const Block layer = layer_block(config, options);
      EXPECT_DOUBLE_EQ(products(layer.backward).value, 2 * products(layer.forward).value);
      const Block head = head_block(config, options, 1.0);
      EXPECT_DOUBLE_EQ(products(head.backward).value, 2 * products(head.forward).value);
    }
  }
  for (const TransformerConfig& config : expert_styles()) {
    for (const BlockOptions& options : expert_options()) {
      const Block layer = layer_block(config, options, LayerKind::kExperts);
      EXPECT_DOUBLE_EQ(products(layer.backward).value, 2 * products(layer.forward).value);
    }
  }
}

TEST(ModelFlops, OfALayerForwardAre24bsh2And4bs2h) {
  const TransformerConfig config =
      gpt({.layers = 2, .hidden = 64, .heads = 4, .vocab = 100, .positions = 32});
  BlockOptions options;
  options.microbatch_size = 3;
  options.sequence_length = 32;
  // 24 x 3 x 32 x 64^2 + 4 x 3 x 32^2 x 64 = 9,437,184 + 786,432.
  EXPECT_DOUBLE_EQ(products(layer_block(config, options).forward).value, 10'223'616);
}

TEST(ModelFlops, AProductsShapeMultipliesToItsFlops) {
  for (const TransformerConfig& config : all_styles()) {
    for (const BlockOptions& options : all_options()) {
      for (const Block& block : {layer_block(config, options), head_block(config, options, 1.0)}) {
        for (const auto* list : {&block.forward, &block.backward}) {
          for (const GroupedKernel& grouped : *list) {
            const KernelShape& s = grouped.kernel.shape;
            const double whole = 2.0 * static_cast<double>(s.gemm_batch * s.gemm_m * s.gemm_n * s.gemm_k);
            if (is_flash_attention(grouped.kernel.kind)) {
              // The inner size is the mean of several products', rounded down.
              const double rounded = whole / static_cast<double>(s.gemm_k);
              EXPECT_LT(grouped.kernel.flops.value, whole + rounded);
              EXPECT_GT(grouped.kernel.flops.value, options.flash_skips_masked ? whole / 2 : whole - 1);
            } else if (is_gemm(grouped.kernel.kind)) {
              EXPECT_DOUBLE_EQ(grouped.kernel.flops.value, whole);
              EXPECT_GT(grouped.kernel.flops.value, 0);
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace portolan
