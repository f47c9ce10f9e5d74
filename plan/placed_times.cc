#include "plan/placed_times.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <unordered_map>

#include "plan/kind_times.h"
#include "plan/rank_place.h"

namespace portolan {

namespace {

constexpr std::array<std::string_view, kNumAxes> kAxisWords = {"tensor", "context", "expert", "data",
                                                               "pipeline"};

/// Words of Megatron-LM's groups (TENSOR_MODEL_PARALLEL_GROUP) and of PyTorch's meshes (mesh_tp,
/// mesh_dp_shard).
struct GroupWord {
  std::string_view word;
  Axis axis;
};
constexpr std::array<GroupWord, 11> kGroupWords = {{{"tensor", Axis::kTensor},
                                                    {"pipeline", Axis::kPipeline},
                                                    {"context", Axis::kContext},
                                                    {"expert", Axis::kExpert},
                                                    {"data", Axis::kData},
                                                    {"_tp", Axis::kTensor},
                                                    {"_pp", Axis::kPipeline},
                                                    {"_cp", Axis::kContext},
                                                    {"_ep", Axis::kExpert},
                                                    {"_dp", Axis::kData},
                                                    {"_fsdp", Axis::kData}}};

std::string_view placed_phase(Phase phase, bool is_communication) {
  switch (phase) {
    case Phase::kForward:
    case Phase::kParameterGather:
      return "forward";
    case Phase::kBackward:
    case Phase::kBackwardInput:
    case Phase::kBackwardWeight:
      return "backward";
    case Phase::kRecompute:
      return "recompute";
    case Phase::kGradientSync:
      return is_communication ? "optimizer" : "backward";  // after the last backward
    case Phase::kOptimizer:
      return "optimizer";
  }
  return "";
}

/// Adds up times of one kind, axis and phase.
class PlacedSum {
 public:
  void add(TimeKind kind, std::string_view axis, std::string_view phase, Seconds time) {
    const auto found = std::find_if(times_.begin(), times_.end(), [&](const PlacedTime& one) {
      return one.kind == kind && one.axis == axis && one.phase == phase;
    });
    PlacedTime& sum = found != times_.end()
                          ? *found
                          : times_.emplace_back(PlacedTime{kind, std::string(axis), std::string(phase), {}});
    sum.time += time;
  }
  std::vector<PlacedTime> take() { return std::move(times_); }

 private:
  std::vector<PlacedTime> times_;
};

/// Of each op of a template, in order; compute ops have none.
std::vector<std::string> axes_of_ops(const Program& program, std::int32_t rank, const Template& t) {
  const Placement placement = placement_of(program);
  std::vector<std::string> axes;
  for (const Op& op : t.ops) {
    if (op.kind == OpKind::kCollective) {
      axes.push_back(axes_between(program, portolan::group_of(placement, rank, op), 0));
    } else {
      const bool is_between_stages = op.kind == OpKind::kSend || op.kind == OpKind::kReceive;
      axes.emplace_back(is_between_stages ? kAxisWords[static_cast<std::size_t>(Axis::kPipeline)] : "");
    }
  }
  return axes;
}

}  // namespace

std::string_view phase_word(TracedPhase phase) {
  constexpr std::array<std::string_view, 4> kWords = {"forward", "backward", "recompute", "optimizer"};
  return kWords[static_cast<std::size_t>(phase)];
}

bool has_no_phase(std::string_view axis) {
  return axis.find("data") != std::string_view::npos || axis.find("pipeline") != std::string_view::npos;
}

std::string axes_between(const Program& program, const std::vector<std::int32_t>& ranks, std::int32_t size) {
  const Placement placement = placement_of(program);
  if (ranks.empty() || std::any_of(ranks.begin(), ranks.end(), [&](std::int32_t rank) {
        return rank < 0 || rank >= placement.num_ranks();
      })) {
    return "";
  }
  AxisSet different;
  const Coordinates first = placement.coordinates_of(ranks.front());
  for (const std::int32_t rank : ranks) {
    const Coordinates other = placement.coordinates_of(rank);
    for (const Axis axis : kAllAxes) {
      if (other[static_cast<std::size_t>(axis)] != first[static_cast<std::size_t>(axis)]) {
        different.insert(axis);
      }
    }
  }
  std::string text;
  std::int32_t num_axes = 0;
  for (const Axis axis : kAllAxes) {
    if (different.contains(axis)) {
      text += (text.empty() ? "" : "+") + std::string(kAxisWords[static_cast<std::size_t>(axis)]);
      ++num_axes;
    }
  }
  return num_axes > 1 && size > 0 && size != placement.num_along(different) ? "" : text;
}

std::string axes_of_group(const Program& program, const TracedGroup& group) {
  if (!group.ranks.empty()) {
    return axes_between(program, group.ranks, group.size);
  }
  const Placement placement = placement_of(program);
  std::string lower = group.description;
  for (char& c : lower) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  std::string_view named, only;
  bool is_named_once = true;
  int num_of_size = 0;
  for (const Axis axis : kAllAxes) {
    const std::string_view word = kAxisWords[static_cast<std::size_t>(axis)];
    const bool is_named = std::any_of(kGroupWords.begin(), kGroupWords.end(), [&](const GroupWord& w) {
      return w.axis == axis && lower.find(w.word) != std::string::npos;
    });
    if (is_named && placement.degree(axis) > 1) {
      is_named_once = named.empty();
      named = word;
    }
    if (group.size > 1 && placement.degree(axis) == group.size) {
      only = word;
      ++num_of_size;
    }
  }
  if (!named.empty() && is_named_once) {
    return std::string(named);
  }
  return named.empty() && num_of_size == 1 ? std::string(only) : "";
}

std::vector<PlacedTime> predicted_placed_times(const Program& program, const KernelCost& cost,
                                               const Timeline& timeline, std::int32_t rank) {
  const std::int32_t stage_index = stage_of(program, rank);
  const Stage& stage = program.stages[static_cast<std::size_t>(stage_index)];
  const OpIds ids(program);
  const std::unordered_map<std::int64_t, Seconds> durations = durations_of(timeline, rank);
  std::vector<std::vector<std::string>> axes;
  for (const Template& t : stage.templates) {
    axes.push_back(axes_of_ops(program, rank, t));
  }
  PlacedSum sum;
  for (const Slot& slot : stage.order) {
    const auto index = static_cast<std::size_t>(slot.template_index);
    const Template& t = stage.templates[index];
    for (std::size_t o = 0; o < t.ops.size(); ++o) {
      const Op& op = t.ops[o];
      for (const Kernel& kernel : op.kernels) {
        sum.add(time_kind_of(kernel.kind), "", placed_phase(op.phase, false), cost.time(kernel));
      }
      // The receiver copies: a send costs its rank nothing.
      if (op.kind == OpKind::kCompute || op.kind == OpKind::kSend) {
        continue;
      }
      const auto duration = durations.find(
          ids.id(stage_index, slot.template_index, static_cast<std::int32_t>(o), slot.microbatch));
      if (duration != durations.end()) {
        const std::string& axis = axes[index][o];
        sum.add(time_kind_of(op), axis, has_no_phase(axis) ? "" : placed_phase(op.phase, true),
                duration->second);
      }
    }
  }
  return sum.take();
}

}  // namespace portolan
