#include <fmt/format.h>

#include "plan/rules/rules.h"

namespace portolan {

Found find_attention_problem(const Scenario& scenario, const Strategy& s) {
  if (s.context_parallel > 1 && !scenario.software.flash_attention.value) {
    return reject(RejectReason::kNotAvailable,
                  fmt::format("context parallelism needs flash attention (software profile {} has none)",
                              scenario.software.name));
  }
  return std::nullopt;
}

/// How tokens of a sequence are divided: over context-parallel ranks in two parts each, so that all have as
/// much of the causal triangle; then over tensor-parallel ranks.
Found find_sequence_problem(const Scenario& scenario, const Strategy& s) {
  const std::int64_t cp = s.context_parallel;
  const std::int64_t tp = s.sequence_parallel ? s.tensor_parallel : 1;
  if (cp > 1 && scenario.sequence_length % (2 * cp * tp) != 0) {
    return reject(RejectReason::kHeads,
                  fmt::format("a sequence of {} tokens is not divisible by 2 x cp {}{} (causal zigzag)",
                              scenario.sequence_length, cp, tp > 1 ? fmt::format(" x tp {}", tp) : ""));
  }
  if (scenario.sequence_length % tp != 0) {
    return reject(RejectReason::kHeads,
                  fmt::format("a sequence of {} tokens is not divisible by tp {} (sequence parallelism)",
                              scenario.sequence_length, tp));
  }
  return std::nullopt;
}

}  // namespace portolan
