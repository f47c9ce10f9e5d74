#include "plan/strategy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "base/parse_quantity.h"
#include "plan/name_table.h"

namespace portolan {

namespace {

constexpr std::array<std::string_view, 4> kSchedules = {"gpipe", "1f1b", "interleaved", "zb-h1"};
constexpr std::array<std::string_view, 5> kPrecisions = {"fp32", "tf32", "fp16", "bf16", "fp8"};
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

std::string_view axis_name(Axis axis) { return kAxes[static_cast<std::size_t>(axis)]; }
std::optional<Axis> find_axis(std::string_view name) { return find_name<Axis>(kAxes, name); }

std::string recompute_name(const Recompute& recompute) {
  if (!recompute.per_layer.empty()) {
    return "custom";
  }
  if (recompute.all_layers == recompute_none()) {
    return "none";
  }
  if (recompute.all_layers == recompute_selective()) {
    return "selective";
  }
  return recompute.all_layers == recompute_full() ? "full" : "custom";
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

std::string short_name(const Strategy& s) {
  std::string name =
      fmt::format("tp{} pp{} dp{} mb{} {} {}", s.tensor_parallel, s.pipeline_parallel, s.data_parallel,
                  s.microbatch_size, schedule_name(s.schedule), recompute_name(s.recompute));
  if (s.sequence_parallel && s.tensor_parallel > 1) {
    name += " sp";
  }
  if (s.zero_stage != 0) {
    name += fmt::format(" zero{}", s.zero_stage);
    if (s.zero_group != 0) {
      name += fmt::format("/{}", s.zero_group);
    }
  }
  if (s.gradient_aggregation.algorithm != CollectiveAlgorithm::kRing) {
    name += fmt::format(" {}", algorithm_name(s.gradient_aggregation.algorithm));
  }
  if (s.gradient_aggregation.overlap) {
    name += s.gradient_aggregation.bucket.value > 0
                ? fmt::format(" overlap {}", format_bytes(s.gradient_aggregation.bucket))
                : " overlap";
  }
  if (s.axis_order != Strategy{}.axis_order) {
    name += " order";
    for (Axis axis : s.axis_order) {
      if (axis == Axis::kTensor || axis == Axis::kData || axis == Axis::kPipeline) {
        name += fmt::format(" {}", axis_name(axis));
      }
    }
  }
  if (!s.layers_per_stage.empty()) {
    name += fmt::format(" layers={}", fmt::join(s.layers_per_stage, ":"));
  }
  return name;
}

}  // namespace portolan
