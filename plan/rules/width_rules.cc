#include <fmt/format.h>

#include "plan/rules/rules.h"

namespace portolan {

/// What tensor parallelism divides of a layer.
Found find_width_problem(const Scenario& scenario, const Strategy& s) {
  const TransformerConfig& model = scenario.model;
  const std::int64_t tp = s.tensor_parallel;
  if (model.num_heads % tp != 0) {
    return reject(RejectReason::kHeads,
                  fmt::format("{} attention heads are not divisible by tp {}", model.num_heads, tp));
  }
  if (model.num_kv_heads % tp != 0) {
    return reject(RejectReason::kHeads,
                  fmt::format("{} key-value heads are not divisible by tp {}", model.num_kv_heads, tp));
  }
  if (model.ffn_size % tp != 0) {
    return reject(RejectReason::kHeads,
                  fmt::format("MLP width {} is not divisible by tp {}", model.ffn_size, tp));
  }
  return std::nullopt;
}

}  // namespace portolan
