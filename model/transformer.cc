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
  const double layer = h * (4 * h + 3 * static_cast<double>(config.ffn_size));
  const double tables =
      h * (2 * static_cast<double>(config.vocab_size) + static_cast<double>(config.max_positions));
  return static_cast<double>(config.num_layers) * layer + tables;
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
  if (config.hidden_size % config.num_heads != 0) {
    return ConfigProblem{"hidden_size", fmt::format("{} is not divisible by num_heads {}", config.hidden_size,
                                                    config.num_heads)};
  }
  if (config.num_heads % config.num_kv_heads != 0) {
    return ConfigProblem{"num_kv_heads", fmt::format("{} does not divide num_heads {}", config.num_kv_heads,
                                                     config.num_heads)};
  }
  if (config.position == PositionEncoding::kRotary && config.head_dim() % 2 != 0) {
    return ConfigProblem{
        "num_heads", fmt::format("head dimension {} / {} = {} is odd (allowed with rotary positions: even)",
                                 config.hidden_size, config.num_heads, config.head_dim())};
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
  const std::int64_t norm = config.normalization == Normalization::kLayerNorm ? 2 * h : h;
  const std::int64_t weights = h * config.qkv_size() + h * h + h * fc1 + config.ffn_size * h;
  const std::int64_t biases = config.linear_bias ? config.qkv_size() + h + fc1 + h : 0;
  return weights + biases + 2 * norm;
}

std::int64_t num_parameters(const TransformerConfig& config) {
  const std::int64_t h = config.hidden_size;
  const std::int64_t positions = config.position == PositionEncoding::kLearned ? config.max_positions * h : 0;
  const std::int64_t norm = config.normalization == Normalization::kLayerNorm ? 2 * h : h;
  const std::int64_t head = config.tied_embeddings ? 0 : config.vocab_size * h;
  return config.vocab_size * h + positions + config.num_layers * num_layer_parameters(config) + norm + head;
}

}  // namespace portolan
