#include <fmt/format.h>

#include "plan/rules/rules.h"

namespace portolan {

/// Gradients that lose something on their way. Follows find_sharing_problem.
Found find_compression_problem(const Scenario& scenario, const Strategy& s) {
  const GradientAggregation& sums = s.gradient_aggregation;
  const Compression& compression = sums.compression;
  if (compression.is_none()) {
    return std::nullopt;
  }
  const auto refuse = [&](std::string_view where, std::string_view allowed) {
    return reject(RejectReason::kNotAvailable, fmt::format("compression {} {} (allowed: {})",
                                                           compression_name(compression), where, allowed));
  };
  if (compression.is_lossy() && !scenario.lossy_gradients) {
    return reject(RejectReason::kLossy,
                  fmt::format("compression {} loses a part of the gradients (allowed: none; others where the "
                              "scenario says lossy_gradients: true)",
                              compression_name(compression)));
  }
  const bool feeds_back =
      compression.kind == CompressionKind::kTopK || compression.kind == CompressionKind::kPowerSgd;
  if (s.zero_stage >= 2) {
    return refuse(fmt::format("with ZeRO stage {}, which reduces gradients block by block in every backward",
                              s.zero_stage),
                  feeds_back ? "zero=0" : "zero=0, zero=1");
  }
  if (s.zero_stage == 1 && feeds_back) {
    return refuse("with ZeRO stage 1, where ranks need the sum of their shards alone",
                  "zero=0; with zero=1 none, bf16, fp8, int8, int4");
  }
  if (s.zero_stage == 1 && zero_sharers(s) < num_data_ranks(s)) {
    return refuse(fmt::format("with zero_group={}, which sums within groups and across them", s.zero_group),
                  "zero_group=0");
  }
  if (num_data_ranks(s) == 1) {
    return refuse("with one data-parallel rank, which sums nothing", "none");
  }
  if (sums.overlap) {
    return refuse("with overlap=true: its kernels run after the passes", "overlap=false");
  }
  const std::int64_t width = gradient_width(scenario.software, s.precision);
  if (compression.kind == CompressionKind::kBf16 && width <= 2) {
    return refuse(fmt::format("where gradients are {} bytes wide already", width),
                  "none, fp8, int8, int4, topk:SHARE, powersgd:RANK");
  }
  if (sums.algorithm == CollectiveAlgorithm::kTree &&
      (compression.is_quantized() || compression.kind == CompressionKind::kTopK)) {
    return refuse("with aggregation tree: it exchanges and gathers, and of that there are no trees",
                  "ring, hierarchical");
  }
  return std::nullopt;
}

}  // namespace portolan
