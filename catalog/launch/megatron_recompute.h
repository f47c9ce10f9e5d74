#pragma once

#include <optional>

#include "base/result.h"
#include "catalog/launch/megatron_arguments.h"
#include "plan/strategy.h"

namespace portolan {

/// What a script recomputes, by today's flags or by those before June 2022. `has_experts`: of the model.
/// Source: Megatron-Core, transformer_config.py (recompute_granularity, recompute_modules). Errors
/// (kBadInput) with file and line: words that are not known; what is whole without a method.
Result<RecomputeChoice> megatron_recompute(const MegatronArguments& arguments, bool has_experts);

/// The inverse: why `strategy`'s cannot be said; empty: the settings say it.
std::string set_megatron_recompute(const Strategy& strategy, bool has_experts, MegatronSettings& settings);

}  // namespace portolan
