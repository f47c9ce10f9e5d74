#include <fmt/format.h>
#include <fmt/ranges.h>

#include <concepts>

#include "base/parse_quantity.h"
#include "catalog/strategy_text.h"
#include "catalog/words.h"

namespace portolan {

namespace {

template <std::integral Number>
std::string text_of(Number number) {
  return fmt::format("{}", number);
}
std::string text_of(bool flag) { return flag ? "true" : "false"; }
std::string text_of(const Compression& compression) { return compression_name(compression); }
std::string text_of(Bytes size) { return size.value == 0 ? "0" : write_bytes(size); }
std::string text_of(const RecomputeChoice& recompute) { return write_recompute(recompute); }
std::string text_of(const std::array<Axis, kNumAxes>& order) { return write_axis_order(order); }
std::string text_of(const std::vector<std::int32_t>& layers) {
  return fmt::format("{}", fmt::join(layers, ":"));
}
template <typename Enum>
requires std::is_enum_v<Enum> std::string text_of(Enum value) { return std::string(word_of(value)); }

template <typename T>
void append(std::string& text, std::string_view word, const std::optional<T>& field) {
  if (field) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", word, text_of(*field));
  }
}

}  // namespace

std::string write_recompute(const RecomputeChoice& choice) {
  if (const auto* block = std::get_if<RecomputeBlock>(&choice)) {
    return fmt::format("block:{}", block->num_layers);
  }
  return recompute_name(std::get<Recompute>(choice));
}

std::string write_axis_order(const std::array<Axis, kNumAxes>& order) {
  std::string text;
  for (Axis axis : order) {
    text += text.empty() ? "" : "-";
    text += axis_name(axis);
  }
  return text;
}

std::string write_strategy(const StrategyConstraints& c) {
  std::string text;
  append(text, "tp", c.tensor_parallel);
  append(text, "pp", c.pipeline_parallel);
  append(text, "dp", c.data_parallel);
  append(text, "cp", c.context_parallel);
  append(text, "ep", c.expert_parallel);
  append(text, "virtual_stages", c.virtual_stages);
  append(text, "sequence_parallel", c.sequence_parallel);
  append(text, "microbatch", c.microbatch_size);
  append(text, "schedule", c.schedule);
  append(text, "zero", c.zero_stage);
  append(text, "zero_group", c.zero_group);
  append(text, "recompute", c.recompute);
  append(text, "aggregation", c.aggregation);
  append(text, "bucket", c.bucket);
  append(text, "overlap", c.overlap);
  append(text, "compression", c.compression);
  append(text, "axis_order", c.axis_order);
  append(text, "precision", c.precision);
  append(text, "offload", c.offload);
  append(text, "layers", c.layers_per_stage);
  return text;
}

StrategyConstraints constraints_of(const Strategy& strategy) {
  StrategyConstraints fixed;
  fixed.tensor_parallel = strategy.tensor_parallel;
  fixed.pipeline_parallel = strategy.pipeline_parallel;
  fixed.data_parallel = strategy.data_parallel;
  fixed.context_parallel = strategy.context_parallel;
  fixed.expert_parallel = strategy.expert_parallel;
  fixed.virtual_stages = strategy.virtual_stages;
  fixed.sequence_parallel = strategy.sequence_parallel;
  fixed.microbatch_size = strategy.microbatch_size;
  fixed.schedule = strategy.schedule;
  fixed.zero_stage = strategy.zero_stage;
  fixed.zero_group = strategy.zero_group;
  fixed.recompute = strategy.recompute;
  fixed.aggregation = strategy.gradient_aggregation.algorithm;
  fixed.bucket = strategy.gradient_aggregation.bucket;
  fixed.overlap = strategy.gradient_aggregation.overlap;
  fixed.compression = strategy.gradient_aggregation.compression;
  fixed.precision = strategy.precision;
  fixed.offload = strategy.offload;
  if (!strategy.layers_per_stage.empty()) {
    fixed.layers_per_stage = strategy.layers_per_stage;
  }
  fixed.axis_order = strategy.axis_order;
  return fixed;
}

}  // namespace portolan
