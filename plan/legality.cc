#include "plan/legality.h"

#include <fmt/format.h>

#include <array>

#include "plan/rules/rules.h"

namespace portolan {

std::string_view reject_reason_name(RejectReason reason) {
  constexpr std::array<std::string_view, kNumRejectReasons> kNames = {
      "not_available", "degrees", "heads", "layers", "batch", "lossy", "memory", "dominated", "bound"};
  return kNames[static_cast<std::size_t>(reason)];
}

Rejection reject(RejectReason reason, std::string message) { return {reason, std::move(message)}; }

Rejection not_available(std::string_view what, std::string_view allowed) {
  return reject(RejectReason::kNotAvailable,
                fmt::format("{} is not available yet (allowed: {})", what, allowed));
}

std::optional<Rejection> find_rejection(const Scenario& scenario, const Strategy& strategy) {
  constexpr Rule kRules[] = {find_attention_problem,   find_split_backward_problem,
                             find_aggregation_problem, find_offload_problem,
                             find_degree_problem,      find_placement_problem,
                             find_sharing_problem,     find_compression_problem,
                             find_expert_problem,      find_peak_problem,
                             find_width_problem,       find_expert_width_problem,
                             find_sequence_problem,    find_stage_problem,
                             find_recompute_problem,   find_batch_problem,
                             find_fp8_problem};
  for (const Rule rule : kRules) {
    if (Found found = rule(scenario, strategy)) {
      return found;
    }
  }
  return std::nullopt;
}

}  // namespace portolan
