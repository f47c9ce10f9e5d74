#include "model/transformer.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <utility>

namespace portolan {

namespace {

/// Larger sizes overflow 64-bit parameter and FLOP counts long before anybody could train them.
constexpr std::int64_t kLargestSize = std::int64_t{1} << 24;
/// Bytes of parameters, gradients and optimizer states stay far from 2^63.
constexpr double kMostParameters = 1e15;

/// Matrices only, in floating point: the exact count may not fit 64 bits.
double rough_num_parameters(const TransformerConfig& config) {
  const auto h = static_cast<double>(config.hidden_size);
  const double heads = static_cast<double>(config.num_heads) * static_cast<double>(config.head_dim());
  const double layer = h * (4 * heads + 3 * static_cast<double>(config.ffn_size));
  const double tables = h * (2 * static_cast<double>(config.vocab_size) +
                             static_cast<double>(config.max_positions + config.position_offset));
  return static_cast<double>(config.num_layers) * layer + tables;
}

/// Norms have a gain, layer norms a bias too.
std::int64_t norm_parameters(const TransformerConfig& config) {
  return config.normalization == Normalization::kLayerNorm ? 2 * config.hidden_size : config.hidden_size;
}

std::optional<ConfigProblem> find_attention_problem(const TransformerConfig& config) {
  if (!config.explicit_head_dim && config.hidden_size % config.num_heads != 0) {
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
  } else if (config.position == PositionEncoding::kRotary && head_dim % 2 != 0) {
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

}  // namespace

std::optional<ConfigProblem> find_problem(const TransformerConfig& config) {
  const std::array<std::pair<const char*, std::int64_t>, 7> sizes{{{"num_layers", config.num_layers},
                                                                   {"hidden_size", config.hidden_size},
                                                                   {"num_heads", config.num_heads},
                                                                   {"num_kv_heads", config.num_kv_heads},
                                                                   {"ffn_size", config.ffn_size},
                                                                   {"vocab_size", config.vocab_size},
                                                                   {"max_positions", config.max_positions}}};
  for (const auto& [key, size] : sizes) {
    if (size < 1 || size > kLargestSize) {
      return ConfigProblem{key, fmt::format("{} (allowed: 1 to {})", size, kLargestSize)};
    }
  }
  if (config.num_layers > 100'000) {
    return ConfigProblem{"num_layers", fmt::format("{} (allowed: 1 to 100000)", config.num_layers)};
  }
  if (auto problem = find_attention_problem(config)) {
    return problem;
  }
  if (auto problem = find_position_problem(config)) {
    return problem;
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

std::int64_t num_layer_parameters(const TransformerConfig& config) {
  const std::int64_t h = config.hidden_size;
  const std::int64_t fc1 = config.activation == Activation::kSwiGlu ? 2 * config.ffn_size : config.ffn_size;
  const std::int64_t weights =
      h * config.qkv_size() + config.context_size() * h + h * fc1 + config.ffn_size * h;
  const std::int64_t biases =
      (config.has_qkv_bias() ? config.qkv_size() : 0) + (config.linear_bias ? h + fc1 + h : 0);
  const std::int64_t head_norms = config.query_key_norm ? 2 * config.head_dim() : 0;
  return weights + biases + head_norms + 2 * norm_parameters(config);
}

std::int64_t num_parameters(const TransformerConfig& config) {
  const std::int64_t h = config.hidden_size;
  const std::int64_t norms = norm_parameters(config) * (config.embedding_norm ? 2 : 1);
  const std::int64_t head = config.tied_embeddings ? 0 : config.vocab_size * h;
  return config.vocab_size * h + num_position_rows(config) * h +
         config.num_layers * num_layer_parameters(config) + norms + head;
}

std::int64_t num_position_rows(const TransformerConfig& config) {
  return config.position == PositionEncoding::kLearned ? config.max_positions + config.position_offset : 0;
}

}  // namespace portolan
