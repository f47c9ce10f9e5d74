#include "plan/kind_times.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "plan/rank_place.h"

namespace portolan {

namespace {

std::string communication_kind(const Op& op) {
  return op.kind == OpKind::kCollective ? std::string(collective_name(op.collective)) : "send_receive";
}

}  // namespace

std::unordered_map<std::int64_t, Seconds> durations_of(const Timeline& timeline, std::int32_t rank) {
  std::unordered_map<std::int64_t, Seconds> durations;
  for (const TimelineEntry& entry : timeline.entries) {
    if (entry.rank == rank) {
      durations[entry.op_id] = entry.end - entry.start;
    }
  }
  return durations;
}

std::vector<NamedTime> predicted_kind_times(const Program& program, const KernelCost& cost,
                                            const Timeline& timeline, std::int32_t rank) {
  const auto stage_index =
      placement_of(program).coordinates_of(rank)[static_cast<std::size_t>(Axis::kPipeline)];
  const Stage& stage = program.stages[static_cast<std::size_t>(stage_index)];
  const OpIds ids(program);
  std::unordered_map<std::int64_t, Seconds> durations = durations_of(timeline, rank);
  std::map<std::string, Seconds> by_kind;
  for (const Slot& slot : stage.order) {
    const Template& t = stage.templates[static_cast<std::size_t>(slot.template_index)];
    for (std::size_t o = 0; o < t.ops.size(); ++o) {
      const Op& op = t.ops[o];
      for (const Kernel& kernel : op.kernels) {
        by_kind[std::string(kernel_name(kernel.kind))] += cost.time(kernel);
      }
      // The receiver copies: a send costs its rank nothing.
      if (op.kind == OpKind::kReceive || op.kind == OpKind::kCollective) {
        by_kind[communication_kind(op)] += durations[ids.id(stage_index, slot.template_index,
                                                            static_cast<std::int32_t>(o), slot.microbatch)];
      }
    }
  }
  std::vector<NamedTime> list;
  Seconds busy;
  for (const auto& [kind, time] : by_kind) {
    list.push_back({kind, time});
    busy += time;
  }
  list.push_back({"wait", std::max(Seconds(0), timeline.makespan - busy)});
  return list;
}

std::vector<KindTime> join_kind_times(const std::vector<NamedTime>& predicted,
                                      const std::vector<NamedTime>& measured) {
  std::vector<KindTime> joined;
  const auto of_kind = [&](const std::string& kind) -> KindTime& {
    const auto found =
        std::find_if(joined.begin(), joined.end(), [&](const KindTime& k) { return k.kind == kind; });
    return found != joined.end() ? *found : joined.emplace_back(KindTime{kind, {}, {}});
  };
  for (const NamedTime& time : predicted) {
    of_kind(time.kind).predicted += time.time;
  }
  for (const NamedTime& time : measured) {
    of_kind(time.kind).measured += time.time;
  }
  std::erase_if(joined, [](const KindTime& k) { return k.predicted.value == 0 && k.measured.value == 0; });
  std::stable_sort(joined.begin(), joined.end(), [](const KindTime& a, const KindTime& b) {
    return std::max(a.predicted, a.measured) > std::max(b.predicted, b.measured);
  });
  return joined;
}

}  // namespace portolan
