#include <fmt/format.h>

#include "plan/rules/rules.h"

namespace portolan {

/// An expert-parallel group is a part of the data-parallel one: its ranks share all but the experts.
Found find_expert_problem(const Scenario& scenario, const Strategy& s) {
  const TransformerConfig& model = scenario.model;
  const std::int32_t ep = s.expert_parallel;
  if (ep == 1) {
    return std::nullopt;
  }
  if (!model.experts) {
    return reject(RejectReason::kDegrees,
                  fmt::format("ep={}: {} has no experts (allowed: 1)", ep, model.name));
  }
  if (model.experts->num_experts % ep != 0) {
    return reject(RejectReason::kHeads,
                  fmt::format("{} experts are not divisible by ep {}", model.experts->num_experts, ep));
  }
  if (s.data_parallel % ep != 0) {
    return reject(RejectReason::kDegrees,
                  fmt::format("dp {} is not divisible by ep {}", s.data_parallel, ep));
  }
  if (s.zero_group != 0) {
    return not_available(fmt::format("zero_group={} with ep {}", s.zero_group, ep), "0");
  }
  return std::nullopt;
}

Found find_expert_width_problem(const Scenario& scenario, const Strategy& s) {
  const TransformerConfig& model = scenario.model;
  const std::int64_t tp = s.tensor_parallel;
  if (model.experts) {
    for (const auto& [what, width] : {std::pair{"expert", model.experts->expert_ffn_size},
                                      {"shared expert", model.experts->shared_ffn_size}}) {
      if (width % tp != 0) {
        return reject(RejectReason::kHeads,
                      fmt::format("{} width {} is not divisible by tp {}", what, width, tp));
      }
    }
  }
  return std::nullopt;
}

}  // namespace portolan
