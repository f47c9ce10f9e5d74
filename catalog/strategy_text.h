#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "plan/strategy.h"

namespace portolan {

/// What `--strategy` says: "tp=8,pp=4,microbatch=1,schedule=1f1b,recompute=full". Empty text fixes nothing.
///
/// tp pp dp cp ep          degrees, 1 to 1000000; the product of tp, pp, dp, cp too
/// virtual_stages          1 to 1000
/// sequence_parallel       true, false (also 1, 0)
/// microbatch              sequences, 1 to 1000000
/// schedule                gpipe, 1f1b, interleaved, zb-h1
/// zero                    0 to 3
/// zero_group              ranks that share a shard, 0 (the data-parallel group) to 1000000
/// recompute               none, selective, full; groups of a layer's kernels joined by "+" (norm1+mlp);
///                         one of these for each layer joined by ":", full*2 for two; block:N, full in the
///                         first N layers of each virtual stage; uniform:N, full in groups of N layers of
///                         each virtual stage that keep their first input alone (uniform:1 is full);
///                         optimal, for each layer what recomputes least in the memory that there is
/// aggregation             ring, tree, hierarchical
/// bucket                  bytes with a unit ("25 MiB"), or 0: all gradients at once
/// compression             none, bf16, fp8, int8, int4, topk:SHARE, powersgd:RANK (plan/compression.h)
/// offload                 none, activations, optimizer, activations+optimizer
/// axis_order              innermost first, "tensor-data-pipeline"; an axis not named stays behind the one
/// that
///                         it usually follows
/// precision               fp32, tf32, fp16, bf16, fp8
/// layers                  layers of each virtual stage, "2:10:10:10", or a layout ("Et*2|(t*10|)*3L":
///                         pipeline_layout.h)
///
/// Errors (kBadInput), one line: `strategy.tp: "0" is out of range (allowed: 1 to 1000000)`; unknown words,
/// words twice, and what is known but not available yet (schedule zb-v) likewise.
Result<StrategyConstraints> parse_strategy(std::string_view text);

/// Fixes one word. The error has no place: the caller adds the word's.
Result<void> set_strategy_word(StrategyConstraints& constraints, std::string_view word,
                               std::string_view value);

/// Degrees whose product no cluster has would overflow the number of ranks. The error has no place.
Result<void> check_degrees(const StrategyConstraints& constraints);

/// The inverse of parse_strategy: only what is fixed, in the order above.
std::string write_strategy(const StrategyConstraints& constraints);

/// Everything that `strategy` says, as constraints that fix it. Gradient overlap has no word.
StrategyConstraints constraints_of(const Strategy& strategy);

/// "full", "norm1+mlp", "full*2:none", "block:3", "uniform:2".
std::string write_recompute(const RecomputeChoice& recompute);
Result<RecomputeChoice> parse_recompute(std::string_view text);

/// The inverse of compression_name.
Result<Compression> parse_compression(std::string_view text);

/// "tensor-context-expert-data-pipeline".
std::string write_axis_order(const std::array<Axis, kNumAxes>& order);
Result<std::array<Axis, kNumAxes>> parse_axis_order(std::string_view text);

}  // namespace portolan
