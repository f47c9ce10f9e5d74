#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>
#include <vector>

#include "plan/rules/rules.h"

namespace portolan {

Found find_peak_problem(const Scenario& scenario, const Strategy& s) {
  const auto& peaks = scenario.hardware.device.peak;
  for (const Precision precision : {s.precision, wide_precision(s.precision)}) {
    if (!peaks.contains(precision)) {
      std::vector<std::string_view> names;
      for (const auto& [known, rate] : peaks) {
        if (peaks.contains(wide_precision(known))) {
          names.push_back(precision_name(known));
        }
      }
      return reject(RejectReason::kNotAvailable,
                    fmt::format("hardware {} names no peak rate for {} (allowed: {})", scenario.hardware.name,
                                precision_name(precision), fmt::join(names, ", ")));
    }
  }
  return std::nullopt;
}

/// Products with fp8 factors need sizes that 16 divides (NVIDIA, Transformer Engine user guide, "Using FP8").
Found find_fp8_problem(const Scenario& scenario, const Strategy& s) {
  if (s.precision != Precision::kFp8) {
    return std::nullopt;
  }
  const TransformerConfig& model = scenario.model;
  const std::int64_t tp = s.tensor_parallel;
  const std::int64_t tokens = s.microbatch_size * scenario.sequence_length / s.context_parallel;
  const LatentAttention latent = model.latent.value_or(LatentAttention{});
  const std::int64_t down = latent.kv_lora_rank + latent.qk_rope_head_dim;
  const std::int64_t up = model.num_heads / tp * (latent.qk_nope_head_dim + latent.v_head_dim);
  for (const auto& [what, size] :
       {std::pair{"tokens of a rank's microbatch", tokens},
        {"latent width of queries", latent.q_lora_rank},
        {"latent width of keys and values", latent.kv_lora_rank},
        {"width of the product down to keys and values", down},
        {"width of a rank's product up to keys and values", up},
        {"hidden size", model.hidden_size},
        {"width of a rank's queries, keys and values",
         (model.latent ? model.num_heads * model.head_dim() : model.qkv_size()) / tp},
        {"width of a rank's heads", model.context_size() / tp},
        {"a rank's MLP width", model.ffn_size / tp},
        {"a rank's expert width", model.experts ? model.experts->expert_ffn_size / tp : 0},
        {"a rank's shared expert width", model.experts ? model.experts->shared_ffn_size / tp : 0}}) {
    if (size % 16 != 0) {
      return reject(RejectReason::kHeads,
                    fmt::format("{} {} is not divisible by 16 (precision fp8)", what, size));
    }
  }
  return std::nullopt;
}

}  // namespace portolan
