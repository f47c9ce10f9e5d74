#pragma once

#include <vector>

#include "model/block.h"
#include "model/transformer.h"

namespace portolan {

/// GPT style: learned positions, layer norm, GELU, biases, tied head, MLP four times as wide.
struct GptSizes {
  std::int64_t layers = 0;
  std::int64_t hidden = 0;
  std::int64_t heads = 0;
  std::int64_t vocab = 0;
  std::int64_t positions = 0;
};
TransformerConfig gpt(const GptSizes& sizes);

/// 2 layers, hidden 16, 4 heads of 4, 20 words, 8 positions.
TransformerConfig small_gpt();

/// LLaMA style: rotary positions, RMS norm, SwiGLU, no biases, untied head of 32,000 words.
struct LlamaSizes {
  std::int64_t layers = 0;
  std::int64_t hidden = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t ffn = 0;
};
TransformerConfig llama(const LlamaSizes& sizes);

/// What published models do differently, in sizes of a few: 4 heads, hidden 16.
TransformerConfig small_opt();      ///< ReLU, a position table of two rows more
TransformerConfig small_bloom();    ///< ALiBi, a norm behind the embedding
TransformerConfig small_neox();     ///< parallel residual, a quarter of each head rotated
TransformerConfig small_qwen2();    ///< biases of query, key and value only
TransformerConfig small_qwen3();    ///< norms of queries and keys, heads wider than hidden_size / num_heads
TransformerConfig small_mistral();  ///< heads narrower than hidden_size / num_heads, a sliding window

/// Models with experts: hidden 16, 4 heads; 4 experts of width 24, 2 a token.
TransformerConfig small_mixtral();  ///< every layer, nothing shared
/// Shared experts of width 8, a router bias; of 4 layers the first is dense.
TransformerConfig small_deepseek();
TransformerConfig small_switch();  ///< GELU, one expert a token, capacity 1.5, every second of 4 layers
std::vector<TransformerConfig> expert_styles();

/// Latent attention: 4 heads of 3 + 2 columns with values of 4, latent vectors of 6 and 7.
TransformerConfig small_latent();
TransformerConfig small_latent_without_query_rank();

/// all_options(), and with tensor parallelism also divided sequences; each with 1, 2 and 4 expert-parallel
/// ranks.
std::vector<BlockOptions> expert_options();

/// All 64 combinations of normalisation, activation, positions, grouped queries, biases and tying, in sizes
/// of a few, the published variants, and latent attention.
std::vector<TransformerConfig> all_styles();

/// All combinations of dropout, fusions, flash attention and tensor-parallel degrees 1 and 2, for 2 sequences
/// of 4 tokens; then of context-parallel degrees 2 and 4 with tensor and sequence parallelism, for 2 of 8.
std::vector<BlockOptions> all_options();

/// Those of `kernels` that are of `kind`, in order.
std::vector<Kernel> of_kind(const std::vector<GroupedKernel>& kernels, KernelKind kind);

}  // namespace portolan
