#pragma once

#include <cstdint>

#include "plan/scenario.h"
#include "plan/strategy.h"

namespace portolan {

// What is in scenarios/, read once. Ends the program when it cannot be read.

/// gpt3-175b-512xa100.yaml.
const Scenario& gpt3_scenario();

/// tp 8, pp 8, dp 8 with 64 microbatches a replica (microbatch 3), full recomputation, 1F1B.
Strategy gpt3_strategy();

/// Mixtral 8x7B with the hardware and batch of gpt3_scenario, and the software of 2024.
const Scenario& mixtral_scenario();

inline constexpr std::int64_t kManyGpus = 16384;

/// hardware/dgx-h100-400g-16k.yaml with as many nodes as `num_gpus` need.
Hardware h100_cluster(std::int64_t num_gpus);

/// LLaMA 7B on so many H100s, 4 sequences for each.
Scenario llama_7b_scenario(std::int64_t num_gpus);

/// Four stages, the rest data parallelism; 1F1B, ZeRO 1, microbatches of one sequence.
Strategy llama_7b_strategy(const Scenario& scenario);

/// GPT 1T on so many H100s, `sequences_per_gpu` of its batch for each.
Scenario megatron_1t_scenario(std::int64_t num_gpus, double sequences_per_gpu);

/// tp 8, so many stages, the rest data parallelism; full recomputation, 1F1B, ZeRO 1, microbatches of one
/// sequence.
Strategy megatron_1t_strategy(const Scenario& scenario, std::int32_t num_stages);

}  // namespace portolan
