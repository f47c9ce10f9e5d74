#pragma once

#include <cstdint>
#include <string>

#include "exec/data/token_dataset.h"
#include "exec/run.h"
#include "plan/plan_file.h"

namespace portolan {

/// Made up, enough for a plan to be lowered: `cores` devices, fp32.
Hardware tiny_hardware(std::int64_t cores);

/// Layer norm, GELU, learned positions, biases, tied head: GPT-2's style.
TransformerConfig tiny_gpt();
/// RMS norm, SwiGLU, rotary positions, grouped-query attention, no biases, own head: LLaMA's style.
TransformerConfig tiny_llama();

/// A batch of 8 sequences of 16 tokens on as many cores as `strategy` has ranks.
Scenario tiny_scenario(const TransformerConfig& model, const Strategy& strategy);
/// Precondition: the strategy is legal.
Plan make_plan(Scenario scenario, const Strategy& strategy);
Plan tiny_plan(const TransformerConfig& model, const Strategy& strategy);
Strategy fp32_strategy();

/// Tokens below `vocabulary` in an order that can be learnt, the same in every run.
TokenDataset made_up_text(std::int64_t sequence_length, std::int32_t vocabulary);

/// Runs and expects success.
RunMeasurement run_or_fail(const Plan& plan, const RunOptions& options);

}  // namespace portolan
