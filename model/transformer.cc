#include "model/transformer.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <span>
#include <utility>

namespace portolan {

namespace {

/// Larger sizes overflow 64-bit parameter and FLOP counts long before anybody could train them.
constexpr std::int64_t kLargestSize = std::int64_t{1} << 24;
/// Bytes of parameters, gradients and optimizer states stay far from 2^63.
constexpr double kMostParameters = 1e15;

/// More than any router was trained with; slots of an expert stay far from 2^63.
constexpr double kLargestCapacityFactor = 1000;

struct SizeRange {
  const char* key;
  std::int64_t size;
  std::int64_t least;
  std::int64_t most;
};

std::optional<ConfigProblem> find_size_problem(std::span<const SizeRange> sizes) {
  for (const SizeRange& s : sizes) {
    if (s.size < s.least || s.size > s.most) {
      return ConfigProblem{s.key, fmt::format("{} (allowed: {} to {})", s.size, s.least, s.most)};
    }
  }
  return std::nullopt;
}

/// Matrices only, in floating point: the exact count may not fit 64 bits.
double rough_num_parameters(const TransformerConfig& config) {
  const auto h = static_cast<double>(config.hidden_size);
  const double heads = static_cast<double>(config.num_heads) * static_cast<double>(config.head_dim());
  double ffn = static_cast<double>(config.ffn_size);
  if (config.experts) {
    ffn += static_cast<double>(config.experts->num_experts) *
               (static_cast<double>(config.experts->expert_ffn_size) + 1) +
           static_cast<double>(config.experts->shared_ffn_size);
  }
  double layer = h * (4 * heads + 3 * ffn);
  if (config.latent) {
    const auto q = static_cast<double>(config.latent->q_lora_rank);
    const auto kv = static_cast<double>(config.latent->kv_lora_rank);
    const double head = static_cast<double>(config.latent->qk_nope_head_dim) +
                        static_cast<double>(config.latent->qk_rope_head_dim) +
                        static_cast<double>(config.latent->v_head_dim);
    layer += (h + static_cast<double>(config.num_heads) * head) * (h + q + kv);
  }
  const double tables = h * (2 * static_cast<double>(config.vocab_size) +
                             static_cast<double>(config.max_positions + config.position_offset));
  return static_cast<double>(config.num_layers) * layer + tables;
}

std::optional<ConfigProblem> find_attention_problem(const TransformerConfig& config) {
  if (!config.explicit_head_dim && !config.latent && config.hidden_size % config.num_heads != 0) {
    return ConfigProblem{"hidden_size", fmt::format("{} is not divisible by num_heads {}", config.hidden_size,
                                                    config.num_heads)};
  }
  const std::int64_t head_dim = config.head_dim();
  if (head_dim < 1 || head_dim > kLargestSize) {
    return ConfigProblem{"head_dim", fmt::format("{} (allowed: 1 to {})", head_dim, kLargestSize)};
  }
  if (config.num_heads % config.num_kv_heads != 0) {
    return ConfigProblem{"num_kv_heads", fmt::format("{} does not divide num_heads {}", config.num_kv_heads,
                                                     config.num_heads)};
  }
  if (config.sliding_window && (*config.sliding_window < 1 || *config.sliding_window > kLargestSize)) {
    return ConfigProblem{"sliding_window",
                         fmt::format("{} (allowed: 1 to {})", *config.sliding_window, kLargestSize)};
  }
  return std::nullopt;
}

std::optional<ConfigProblem> find_position_problem(const TransformerConfig& config) {
  const std::int64_t head_dim = config.head_dim();
  if (config.rotary_dim) {
    const std::int64_t turned = *config.rotary_dim;
    if (config.position != PositionEncoding::kRotary) {
      return ConfigProblem{"rotary_dim", fmt::format("{} (allowed: with rotary positions)", turned)};
    }
    if (turned < 2 || turned > head_dim || turned % 2 != 0) {
      return ConfigProblem{
          "rotary_dim",
          fmt::format("{} (allowed: an even number from 2 to the head dimension {})", turned, head_dim)};
    }
  } else if (config.position == PositionEncoding::kRotary && !config.latent && head_dim % 2 != 0) {
    if (config.explicit_head_dim) {
      return ConfigProblem{"head_dim",
                           fmt::format("{} is odd (allowed with rotary positions: even)", head_dim)};
    }
    return ConfigProblem{
        "num_heads", fmt::format("head dimension {} / {} = {} is odd (allowed with rotary positions: even)",
                                 config.hidden_size, config.num_heads, head_dim)};
  }
  if (config.position_offset < 0 || config.position_offset > kLargestSize) {
    return ConfigProblem{"position_offset",
                         fmt::format("{} (allowed: 0 to {})", config.position_offset, kLargestSize)};
  }
  if (config.position_offset > 0 && config.position != PositionEncoding::kLearned) {
    return ConfigProblem{"position_offset",
                         fmt::format("{} (allowed: above 0 with learned positions)", config.position_offset)};
  }
  return std::nullopt;
}

std::optional<ConfigProblem> find_experts_problem(const TransformerConfig& config) {
  const MixtureOfExperts& x = *config.experts;
  const std::array<SizeRange, 6> sizes{
      {{"experts.num_experts", x.num_experts, 1, kLargestSize},
       {"experts.experts_per_token", x.experts_per_token, 1, x.num_experts},
       {"experts.expert_ffn_size", x.expert_ffn_size, 1, kLargestSize},
       {"experts.shared_ffn_size", x.shared_ffn_size, 0, kLargestSize},
       {"experts.first_dense_layers", x.first_dense_layers, 0, config.num_layers},
       {"experts.layer_period", x.layer_period, 1, config.num_layers}}};
  if (auto problem = find_size_problem(sizes)) {
    return problem;
  }
  if (x.capacity_factor && !(*x.capacity_factor > 0 && *x.capacity_factor <= kLargestCapacityFactor)) {
    return ConfigProblem{"experts.capacity_factor", fmt::format("{} (allowed: above 0, to {})",
                                                                *x.capacity_factor, kLargestCapacityFactor)};
  }
  if (config.parallel_residual) {
    return ConfigProblem{"parallel_residual", "true with experts is not available yet (allowed: false)"};
  }
  return std::nullopt;
}

std::optional<ConfigProblem> find_latent_problem(const TransformerConfig& config) {
  const LatentAttention& latent = *config.latent;
  const std::array<SizeRange, 5> sizes{
      {{"latent_attention.q_lora_rank", latent.q_lora_rank, 0, kLargestSize},
       {"latent_attention.kv_lora_rank", latent.kv_lora_rank, 1, kLargestSize},
       {"latent_attention.qk_nope_head_dim", latent.qk_nope_head_dim, 1, kLargestSize},
       {"latent_attention.qk_rope_head_dim", latent.qk_rope_head_dim, 2, kLargestSize},
       {"latent_attention.v_head_dim", latent.v_head_dim, 1, kLargestSize}}};
  if (auto problem = find_size_problem(sizes)) {
    return problem;
  }
  if (latent.qk_rope_head_dim % 2 != 0) {
    return ConfigProblem{"latent_attention.qk_rope_head_dim",
                         fmt::format("{} is odd (allowed: even)", latent.qk_rope_head_dim)};
  }
  if (config.position != PositionEncoding::kRotary) {
    return ConfigProblem{"latent_attention", "is there (allowed: with rotary positions)"};
  }
  if (config.normalization != Normalization::kRmsNorm) {
    return ConfigProblem{"latent_attention", "is there (allowed: with RMS norms)"};
  }
  if (config.num_kv_heads != config.num_heads) {
    return ConfigProblem{"num_kv_heads", fmt::format("{} (allowed with latent attention: as num_heads, {})",
                                                     config.num_kv_heads, config.num_heads)};
  }
  for (const auto& [key, there] : {std::pair{"head_dim", config.explicit_head_dim.has_value()},
                                   {"rotary_dim", config.rotary_dim.has_value()},
                                   {"query_key_norm", config.query_key_norm},
                                   {"qkv_bias", config.qkv_bias}}) {
    if (there) {
      return ConfigProblem{key, "is there (allowed: without latent attention)"};
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<ConfigProblem> find_problem(const TransformerConfig& config) {
  const std::array<SizeRange, 7> sizes{{{"num_layers", config.num_layers, 1, kLargestSize},
                                        {"hidden_size", config.hidden_size, 1, kLargestSize},
                                        {"num_heads", config.num_heads, 1, kLargestSize},
                                        {"num_kv_heads", config.num_kv_heads, 1, kLargestSize},
                                        {"ffn_size", config.ffn_size, 1, kLargestSize},
                                        {"vocab_size", config.vocab_size, 1, kLargestSize},
                                        {"max_positions", config.max_positions, 1, kLargestSize}}};
  if (auto problem = find_size_problem(sizes)) {
    return problem;
  }
  if (config.num_layers > 100'000) {
    return ConfigProblem{"num_layers", fmt::format("{} (allowed: 1 to 100000)", config.num_layers)};
  }
  if (config.latent) {
    if (auto problem = find_latent_problem(config)) {
      return problem;
    }
  }
  if (auto problem = find_attention_problem(config)) {
    return problem;
  }
  if (auto problem = find_position_problem(config)) {
    return problem;
  }
  if (config.experts) {
    if (auto problem = find_experts_problem(config)) {
      return problem;
    }
  }
  if (!(config.norm_epsilon > 0 && config.norm_epsilon < 1)) {
    return ConfigProblem{"norm_epsilon", fmt::format("{} (allowed: between 0 and 1)", config.norm_epsilon)};
  }
  if (!(config.rotary_theta > 1 && std::isfinite(config.rotary_theta))) {
    return ConfigProblem{"rotary_theta", fmt::format("{} (allowed: above 1, finite)", config.rotary_theta)};
  }
  if (!(config.initializer_std > 0 && config.initializer_std < 10)) {
    return ConfigProblem{"initializer_std",
                         fmt::format("{} (allowed: between 0 and 10)", config.initializer_std)};
  }
  if (const double parameters = rough_num_parameters(config); parameters > kMostParameters) {
    return ConfigProblem{"num_layers",
                         fmt::format("{} make {:.2g} parameters with these sizes (allowed: {:.0g} in all)",
                                     config.num_layers, parameters, kMostParameters)};
  }
  return std::nullopt;
}

}  // namespace portolan
