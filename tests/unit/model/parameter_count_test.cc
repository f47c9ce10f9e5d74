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
