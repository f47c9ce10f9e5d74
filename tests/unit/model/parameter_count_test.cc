#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "model/block.h"
#include "sample_models.h"

namespace portolan {
namespace {

using namespace std::string_literals;

struct Published {
  const char* name;
  TransformerConfig config;
  std::int64_t parameters;
};

TEST(ParameterCount, EqualsThePublishedCountToTheLastOne) {
  // GPT: l (12 h^2 + 13 h) + (V + s) h + 2 h. By hand for GPT-3: 96 x 1,812,099,072 + 642,723,840 + 24,576.
  // LLaMA-2: counts of the released checkpoints.
  const std::vector<Published> table = {
      {"GPT-2 124M", gpt({.layers = 12, .hidden = 768, .heads = 12, .vocab = 50257, .positions = 1024}),
       124'439'808},
      {"GPT-2 1.5B", gpt({.layers = 48, .hidden = 1600, .heads = 25, .vocab = 50257, .positions = 1024}),
       1'557'611'200},
      {"GPT-3 175B", gpt({.layers = 96, .hidden = 12288, .heads = 96, .vocab = 50257, .positions = 2048}),
       174'604'259'328},
      {"LLaMA-2 7B", llama({.layers = 32, .hidden = 4096, .heads = 32, .kv_heads = 32, .ffn = 11008}),
       6'738'415'616},
      {"LLaMA-2 70B", llama({.layers = 80, .hidden = 8192, .heads = 64, .kv_heads = 8, .ffn = 28672}),
       68'976'648'192},
  };
  for (const Published& row : table) {
    EXPECT_EQ(num_parameters(row.config), row.parameters) << row.name;
  }
}

TEST(ParameterCount, OfVariantsAreSumsByHand) {
  // h 16, heads 4, f 64 (GPT) or 24 (LLaMA style), V 20, 8 positions, 2 layers; kv heads 4 or 2.
  // GPT layer: 12 h^2 + 13 h = 3072 + 208 = 3280; final norm 32; words 320.
  // OPT: 8 + 2 positions.
  EXPECT_EQ(num_parameters(small_opt()), 2 * 3280 + 32 + 320 + 10 * 16);
  // BLOOM: no positions, a norm more.
  EXPECT_EQ(num_parameters(small_bloom()), 2 * 3280 + 2 * 32 + 320);
  // NeoX with heads of 8: qkv 16 x 96 + 96, projection 32 x 16 + 16, MLP 2 x 16 x 64 + 64 + 16, two norms.
  EXPECT_EQ(num_parameters(small_neox()), 2 * (1632 + 528 + 2128 + 64) + 32 + 2 * 320);
  // LLaMA layer: qkv 16 x 8 x 4 = 512, projection 256, MLP 3 x 16 x 24 = 1152, two norms 32.
  // Qwen2: 32 biases of query, key, value.
  EXPECT_EQ(num_parameters(small_qwen2()), 2 * (1952 + 32) + 16 + 2 * 320);
  // Qwen3 with heads of 6: qkv 16 x 8 x 6 = 768, projection 24 x 16 = 384, two gains of 6.
  EXPECT_EQ(num_parameters(small_qwen3()), 2 * (768 + 384 + 1152 + 32 + 12) + 16 + 2 * 320);
  // Mistral with heads of 2: qkv 16 x 8 x 2 = 256, projection 8 x 16 = 128.
  EXPECT_EQ(num_parameters(small_mistral()), 2 * (256 + 128 + 1152 + 32) + 16 + 2 * 320);
}

TEST(ParameterCount, EqualsTheRoundedCountOfNarayananEtAl) {
  // Narayanan et al., SC'21 (arXiv 2104.04473), Table 1: billions of parameters to one decimal, V = 51,200, s
  // = 2,048.
  struct Row {
    std::int64_t layers, hidden, heads;
    double billions;
  };
  for (const Row& row : {Row{40, 6144, 48, 18.4}, Row{48, 8192, 64, 39.1}, Row{105, 20480, 128, 529.6},
                         Row{128, 25600, 160, 1008.0}}) {
    const TransformerConfig config = gpt(
        {.layers = row.layers, .hidden = row.hidden, .heads = row.heads, .vocab = 51200, .positions = 2048});
    EXPECT_NEAR(static_cast<double>(num_parameters(config)) / 1e9, row.billions, 0.06) << row.billions;
  }
}

/// Elements of the parameters that a block declares.
std::int64_t declared(const Block& block) {
  std::int64_t elements = 0;
  for (const Tensor& tensor : block.tensors) {
    elements += tensor.role == TensorRole::kParameter && !tensor.tied_to_embedding ? tensor.elements : 0;
  }
  return elements;
}

TEST(ParameterCount, OfExpertsEqualsTheTensorsOfTheBlocks) {
  for (const TransformerConfig& config : expert_styles()) {
    BlockOptions options;
    options.sequence_length = 8;
    std::int64_t sum =
        declared(embedding_block(config, options)) + declared(head_block(config, options, 1.0));
    for (std::int64_t layer = 0; layer < config.num_layers; ++layer) {
      const LayerKind kind = layer_kind(config, layer);
      const std::int64_t elements = declared(layer_block(config, options, kind));
      EXPECT_EQ(elements, num_layer_parameters(config, kind));
      sum += elements;
    }
    EXPECT_EQ(sum, num_parameters(config));
  }
}

TEST(ParameterCount, OfExpertsAreSumsByHand) {
  // LLaMA layer without its MLP: 512 + 256 + 32 = 800; an expert of width 24: 3 x 16 x 24 = 1152; router 4
  // x 16.
  EXPECT_EQ(num_parameters(small_mixtral()), 2 * (800 + 64 + 4 * 1152) + 16 + 640);
  EXPECT_EQ(num_active_parameters(small_mixtral()), 2 * (800 + 64 + 2 * 1152) + 16 + 640);
  // One layer with a dense MLP, three with a shared expert of width 8 (384) and 4 biases of the router.
  EXPECT_EQ(num_parameters(small_deepseek()), 4 * 800 + 1152 + 3 * (64 + 4 + 4 * 1152 + 384) + 16 + 640);
  EXPECT_EQ(num_active_parameters(small_deepseek()),
            4 * 800 + 1152 + 3 * (64 + 4 + 2 * 1152 + 384) + 16 + 640);
  // GPT layer without its MLP: weights 4 h^2 = 1024, biases 48 + 16, norms 64; its MLP 2128; an expert, which
  // has no biases, 2 x 16 x 24 = 768.
  EXPECT_EQ(num_parameters(small_switch()),
            4 * (1024 + 48 + 16 + 64) + 2 * 2128 + 2 * (64 + 4 * 768) + 32 + 320 + 128);
  EXPECT_EQ(num_active_parameters(small_opt()), num_parameters(small_opt())) << "all of a dense model";
}

TEST(LayerKind, FollowsFirstDenseLayersAndPeriod) {
  const auto kinds = [](std::int64_t layers, std::int64_t first_dense, std::int64_t period) {
    TransformerConfig config = small_mixtral();
    config.num_layers = layers;
    config.experts->first_dense_layers = first_dense;
    config.experts->layer_period = period;
    std::string text;
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      text += layer_kind(config, layer) == LayerKind::kExperts ? 'e' : 'd';
    }
    EXPECT_EQ(num_layers_of(config, LayerKind::kExperts), std::count(text.begin(), text.end(), 'e')) << text;
    EXPECT_EQ(num_layers_of(config, LayerKind::kDense), std::count(text.begin(), text.end(), 'd')) << text;
    return text;
  };
  EXPECT_EQ(kinds(4, 0, 1), "eeee");
  EXPECT_EQ(kinds(5, 3, 1), "dddee");
  EXPECT_EQ(kinds(6, 0, 2), "dedede");
  EXPECT_EQ(kinds(7, 2, 3), "ddeddedd"s.substr(0, 7));
  EXPECT_EQ(kinds(7, 3, 3), "dddddedd"s.substr(0, 7));
  EXPECT_EQ(kinds(3, 3, 1), "ddd");
  for (std::int64_t first = 0; first <= 9; ++first) {
    for (std::int64_t period = 1; period <= 9; ++period) {
      kinds(9, first, period);
    }
  }
  TransformerConfig dense = small_opt();
  EXPECT_EQ(layer_kind(dense, 0), LayerKind::kDense);
  EXPECT_EQ(num_layers_of(dense, LayerKind::kExperts), 0);
}

TEST(ParameterCount, EqualsTheTensorsOfTheBlocksInEveryStyle) {
  for (const TransformerConfig& config : all_styles()) {
    BlockOptions options;
    options.sequence_length = 8;
    EXPECT_EQ(declared(layer_block(config, options)), num_layer_parameters(config));
    EXPECT_EQ(declared(embedding_block(config, options)) +
                  config.num_layers * declared(layer_block(config, options)) +
                  declared(head_block(config, options, 1.0)),
              num_parameters(config));
  }
}

}  // namespace
}  // namespace portolan
