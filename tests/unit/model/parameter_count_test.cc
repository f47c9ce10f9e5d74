#include <gtest/gtest.h>

#include "model/block.h"
#include "sample_models.h"

namespace portolan {
namespace {

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
