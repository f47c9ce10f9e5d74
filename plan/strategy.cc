#include "plan/strategy.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "plan/name_table.h"

namespace portolan {

namespace {

constexpr std::array<std::string_view, 4> kSchedules = {"gpipe", "1f1b", "interleaved", "zb-h1"};
constexpr std::array<std::string_view, 5> kPrecisions = {"fp32", "tf32", "fp16", "bf16", "fp8"};
constexpr std::array<std::string_view, 4> kOffloads = {"none", "activations", "optimizer",
                                                       "activations+optimizer"};
constexpr std::array<std::string_view, kNumKernelGroups> kKernelGroups = {
    "norm1", "qkv", "attention_core", "attention_context", "projection", "norm2", "mlp", "other"};
constexpr std::array<std::string_view, kNumAxes> kAxes = {"tensor", "context", "expert", "data", "pipeline"};

}  // namespace

RecomputeSet recompute_none() { return {}; }

RecomputeSet recompute_selective() {
  return RecomputeSet().set(static_cast<std::size_t>(KernelGroup::kAttentionCore));
}

RecomputeSet recompute_full() {
  RecomputeSet set;
  for (KernelGroup group :
       {KernelGroup::kNorm1, KernelGroup::kQkv, KernelGroup::kAttentionCore, KernelGroup::kAttentionContext,
        KernelGroup::kProjection, KernelGroup::kNorm2, KernelGroup::kMlp}) {
    set.set(static_cast<std::size_t>(group));
  }
  return set;
}

std::string_view schedule_name(ScheduleKind schedule) {
  return kSchedules[static_cast<std::size_t>(schedule)];
}
std::optional<ScheduleKind> find_schedule(std::string_view name) {
  return find_name<ScheduleKind>(kSchedules, name);
}

std::string_view precision_name(Precision precision) {
  return kPrecisions[static_cast<std::size_t>(precision)];
}
std::optional<Precision> find_precision(std::string_view name) {
  return find_name<Precision>(kPrecisions, name);
}

std::string_view offload_name(Offload offload) { return kOffloads[static_cast<std::size_t>(offload)]; }
std::optional<Offload> find_offload(std::string_view name) { return find_name<Offload>(kOffloads, name); }

std::string_view kernel_group_name(KernelGroup group) {
  return kKernelGroups[static_cast<std::size_t>(group)];
}

std::string_view axis_name(Axis axis) { return kAxes[static_cast<std::size_t>(axis)]; }
std::optional<Axis> find_axis(std::string_view name) { return find_name<Axis>(kAxes, name); }

Recompute recompute_of(const RecomputeChoice& choice, const std::vector<std::int32_t>& layers) {
  if (const auto* sets = std::get_if<Recompute>(&choice)) {
    return *sets;
  }
  const std::int32_t first = std::get<RecomputeBlock>(choice).num_layers;
  Recompute recompute;
  for (const std::int32_t count : layers) {
    for (std::int32_t i = 0; i < count; ++i) {
      recompute.per_layer.push_back(i < first ? recompute_full() : recompute_none());
    }
  }
  const std::vector<RecomputeSet>& sets = recompute.per_layer;
  if (std::adjacent_find(sets.begin(), sets.end(), std::not_equal_to<>()) == sets.end()) {
    return {.all_layers = sets.empty() ? recompute_none() : sets.front(), .per_layer = {}};
  }
  return recompute;
}

std::vector<std::int32_t> layers_of_stages(std::int64_t num_layers, const Strategy& strategy) {
  if (!strategy.layers_per_stage.empty()) {
    return strategy.layers_per_stage;
  }
  const auto stages = static_cast<std::size_t>(strategy.pipeline_parallel) *
                      static_cast<std::size_t>(strategy.virtual_stages);
  const auto layers = static_cast<std::size_t>(num_layers);
  std::vector<std::int32_t> list(stages, static_cast<std::int32_t>(layers / stages));
  const std::size_t longer = layers % stages;
  const std::size_t first = (stages - longer + 1) / 2;
  for (std::size_t i = 0; i < longer; ++i) {
    ++list[first + i];
  }
  return list;
}

std::optional<std::vector<std::int32_t>> find_layers_of_stages(std::int64_t num_layers, const Strategy& s) {
  const std::int64_t stages = std::int64_t{s.pipeline_parallel} * s.virtual_stages;
  if (s.layers_per_stage.empty() && (stages < 1 || stages > num_layers)) {
    return std::nullopt;
  }
  std::vector<std::int32_t> layers = layers_of_stages(num_layers, s);
  const bool counts = std::none_of(layers.begin(), layers.end(), [](std::int32_t n) { return n < 0; });
  const bool whole = std::accumulate(layers.begin(), layers.end(), std::int64_t{0}) == num_layers;
  return counts && whole ? std::optional(std::move(layers)) : std::nullopt;
}

std::optional<RecomputeBlock> find_recompute_block(const Strategy& s) {
  const auto layers = find_layers_of_stages(std::ssize(s.recompute.per_layer), s);
  if (s.recompute.per_layer.empty() || !layers) {
    return std::nullopt;
  }
  // The stage with the most recomputed layers says how many: others may have no more layers than that.
  RecomputeBlock block;
  auto set = s.recompute.per_layer.begin();
  for (const std::int32_t count : *layers) {
    const auto found = std::count(set, set + count, recompute_full());
    block.num_layers = std::max(block.num_layers, static_cast<std::int32_t>(found));
    set += count;
  }
  return recompute_of(block, *layers) == s.recompute ? std::optional(block) : std::nullopt;
}

Recompute recompute_every_other(std::int64_t num_layers) {
  Recompute recompute;
  for (std::int64_t layer = 0; layer < num_layers; ++layer) {
    recompute.per_layer.push_back(layer % 2 == 1 ? recompute_full() : recompute_none());
  }
  return recompute;
}

std::optional<RecomputeSet> find_recompute(std::string_view name) {
  if (name == "none") {
    return recompute_none();
  }
  if (name == "selective") {
    return recompute_selective();
  }
  if (name == "full") {
    return recompute_full();
  }
  return std::nullopt;
}

}  // namespace portolan
