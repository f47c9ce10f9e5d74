#pragma once

#include "plan/scenario.h"
#include "topology/cluster.h"

namespace portolan {

/// Figures are round, for arithmetic on paper; none is meant to be a real machine's.

/// 4 layers, hidden 32, 4 heads, MLP 64, vocabulary 50, 16 positions: layer norm, GELU, biases, tied head.
TransformerConfig tiny_gpt();
/// The same sizes, LLaMA style: RMS norm, SwiGLU, rotary, 2 key-value heads, no biases, untied head.
TransformerConfig tiny_llama();
/// As tiny_llama, with latent attention: heads of 8 + 4 columns with values of 6, latent vectors of 24
/// and 16.
TransformerConfig tiny_latent();
/// GPT-3 175B: 96 layers, hidden 12288, 96 heads, vocabulary 50257.
TransformerConfig gpt3_175b();

/// 2 nodes of 4 GPUs, a card each, one pod. 100 TFLOP/s at efficiency 0.5; memory 1 TB/s at 0.8;
/// NVLink 100 GB/s, card 10 GB/s, all at efficiency 1; latencies 1 us and 2 us; ring steps 3 us and 5 us;
/// launch 1 us.
Hardware small_hardware();
/// `nodes` nodes of 8 GPUs and 8 cards, one pod: 300 TFLOP/s bf16 at 0.5, attention at 0.25, 80 GiB at 2 TB/s
/// and 0.8, NVLink 250 GB/s at 0.8, card 25 GB/s at 0.8; latencies 1 us and 2 us; ring steps 3 us and 10 us;
/// launch 4 us.
Hardware a100_like_hardware(std::int64_t nodes);
/// With PCIe of 20 GB/s and 1 us.
Hardware with_pcie(Hardware hardware);
/// Bandwidth without end, no latency, no cost of a step: communication is free.
Hardware with_free_communication(Hardware hardware);

/// Nothing recomputed in vain, nothing blocking: fp32 gradients, 8 bytes of optimizer state for a parameter.
SoftwareProfile plain_profile();
/// The features of Megatron-LM in 2022: dropout, padding, scatter-gather sends, blocking sends.
SoftwareProfile megatron_like_profile();

/// tiny_gpt on small_hardware, sequences of 16 tokens, global batch 16, fp32, plain profile.
Scenario tiny_scenario(std::int64_t num_gpus);
/// GPT-3 175B, 2048 tokens, global batch 1536, bf16, on 64 nodes of a100_like_hardware,
/// megatron_like_profile.
Scenario gpt3_scenario();
/// Eight layers of GPT-3's widths, all features fused, on 32 GPUs.
Scenario gpt_of_eight_layers();

struct Degrees {
  std::int32_t tensor = 1;
  std::int32_t pipeline = 1;
  std::int32_t data = 1;
  std::int64_t microbatch = 1;
};
/// 1F1B without recomputation, in the scenario's precision.
Strategy sample_strategy(const Scenario& scenario, const Degrees& degrees);

}  // namespace portolan
