#include "plan/timer_spans.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>
#include <vector>

#include "plan/rank_place.h"

namespace portolan {

namespace {

constexpr std::array<std::string_view, 7> kSpanNames = {
    "forward",          "backward", "forward and backward", "gradient sum", "embedding sum",
    "parameter gather", "optimizer"};

struct NamedSpan {
  std::string_view timer;
  TimerSpan span;
};
constexpr std::array<NamedSpan, 17> kTimers = {{
    {"forward-compute", TimerSpan::kForward},
    {"backward-compute", TimerSpan::kBackward},
    {"forward-backward", TimerSpan::kForwardBackward},
    {"all-grads-sync", TimerSpan::kGradientSync},
    {"grads-all-reduce", TimerSpan::kGradientSync},
    {"grads-reduce-scatter", TimerSpan::kGradientSync},
    {"backward-reduce-model-grads", TimerSpan::kGradientSync},
    {"backward-params-all-reduce", TimerSpan::kGradientSync},
    {"embedding-grads-all-reduce", TimerSpan::kEmbeddingSync},
    {"backward-embedding-all-reduce", TimerSpan::kEmbeddingSync},
    {"params-all-gather", TimerSpan::kParameterGather},
    {"backward-gather-model-params", TimerSpan::kParameterGather},
    {"optimizer", TimerSpan::kOptimizer},
    {"fwd", TimerSpan::kForward},
    {"bwd_inner", TimerSpan::kBackward},
    {"bwd_allreduce", TimerSpan::kGradientSync},
    {"step", TimerSpan::kOptimizer},
}};

using Interval = std::pair<double, double>;

/// One op in one slot, as the timeline has it.
struct TimedOp {
  const Op* op = nullptr;
  std::int32_t slot = 0;
  double start = 0;
  double end = 0;
};

std::vector<TimedOp> timed_ops(const Program& program, const Timeline& timeline, std::int32_t stage_index,
                               std::int32_t rank) {
  std::unordered_map<std::int64_t, Interval> times;
  for (const TimelineEntry& entry : timeline.entries) {
    if (entry.rank == rank) {
      times[entry.op_id] = {entry.start.value, entry.end.value};
    }
  }
  const OpIds ids(program);
  const Stage& stage = program.stages[static_cast<std::size_t>(stage_index)];
  std::vector<TimedOp> ops;
  for (std::size_t s = 0; s < stage.order.size(); ++s) {
    const Slot& slot = stage.order[s];
    const Template& t = stage.templates[static_cast<std::size_t>(slot.template_index)];
    for (std::size_t o = 0; o < t.ops.size(); ++o) {
      const auto found =
          times.find(ids.id(stage_index, slot.template_index, static_cast<std::int32_t>(o), slot.microbatch));
      if (found != times.end()) {
        ops.push_back({&t.ops[o], static_cast<std::int32_t>(s), found->second.first, found->second.second});
      }
    }
  }
  return ops;
}

bool is_of_pipeline(const Op& op) { return op.kind == OpKind::kSend || op.kind == OpKind::kReceive; }

/// Within a microbatch's forward or backward; once a step, and between stages, is not.
bool runs_in(const Op& op, TimerSpan span) {
  if (is_of_pipeline(op) || op.kind == OpKind::kCopy) {
    return false;
  }
  switch (op.phase) {
    case Phase::kForward:
      return span == TimerSpan::kForward;
    case Phase::kBackward:
    case Phase::kBackwardInput:
    case Phase::kBackwardWeight:
    case Phase::kRecompute:
      return span == TimerSpan::kBackward;
    default:
      return false;
  }
}

/// Of each slot, from the first such op to the last.
double sum_of_extents(const std::vector<TimedOp>& ops, TimerSpan span) {
  double sum = 0;
  for (std::size_t i = 0; i < ops.size();) {
    const std::int32_t slot = ops[i].slot;
    Interval extent{0, 0};
    bool any = false;
    for (; i < ops.size() && ops[i].slot == slot; ++i) {
      if (runs_in(*ops[i].op, span)) {
        extent = any ? Interval{std::min(extent.first, ops[i].start), std::max(extent.second, ops[i].end)}
                     : Interval{ops[i].start, ops[i].end};
        any = true;
      }
    }
    sum += extent.second - extent.first;
  }
  return sum;
}

/// Length of what `intervals` cover and `others` do not.
double uncovered(std::vector<Interval> intervals, std::vector<Interval> others) {
  std::sort(intervals.begin(), intervals.end());
  std::sort(others.begin(), others.end());
  double sum = 0;
  double clock = -1;
  std::size_t next = 0;
  for (const auto& [start, end] : intervals) {
    clock = std::max(clock, start);
    while (clock < end) {
      while (next < others.size() && others[next].second <= clock) {
        ++next;
      }
      const double free_until =
          next < others.size() ? std::min(std::max(others[next].first, clock), end) : end;
      sum += free_until - clock;
      clock = free_until < end ? others[next].second : end;
    }
  }
  return sum;
}

/// Time of the ops of `phases` in which no forward and backward runs.
template <typename Wanted>
double exposed_time(const std::vector<TimedOp>& ops, const Wanted& wanted) {
  std::vector<Interval> intervals, compute;
  for (const TimedOp& one : ops) {
    if (wanted(one)) {
      intervals.emplace_back(one.start, one.end);
    } else if (one.op->kind == OpKind::kCompute && one.op->phase != Phase::kOptimizer) {
      compute.emplace_back(one.start, one.end);
    }
  }
  return uncovered(std::move(intervals), std::move(compute));
}

}  // namespace

std::string_view timer_span_name(TimerSpan span) { return kSpanNames[static_cast<std::size_t>(span)]; }

std::optional<TimerSpan> find_timer_span(std::string_view name) {
  for (const NamedSpan& timer : kTimers) {
    if (timer.timer == name) {
      return timer.span;
    }
  }
  return std::nullopt;
}

bool is_sum_of_spans(TimerSpan span) { return span == TimerSpan::kForwardBackward; }

std::optional<std::int32_t> find_rank_of_stage(const Program& program, const Timeline& timeline,
                                               std::int32_t stage) {
  std::optional<std::int32_t> first;
  const Placement placement = placement_of(program);
  std::int32_t last_seen = -1;
  for (const TimelineEntry& entry : timeline.entries) {
    if (entry.rank == last_seen) {
      continue;
    }
    last_seen = entry.rank;
    if (placement.coordinates_of(entry.rank)[static_cast<std::size_t>(Axis::kPipeline)] == stage &&
        (!first || entry.rank < *first)) {
      first = entry.rank;
    }
  }
  return first;
}

Seconds predicted_span(const Program& program, const Timeline& timeline, std::int32_t stage, TimerSpan span) {
  const std::optional<std::int32_t> rank = find_rank_of_stage(program, timeline, stage);
  if (!rank) {
    return {};
  }
  const std::vector<TimedOp> ops = timed_ops(program, timeline, stage, *rank);
  if (span == TimerSpan::kForward || span == TimerSpan::kBackward) {
    return Seconds(sum_of_extents(ops, span));
  }
  double first = timeline.makespan.value, last = 0;
  for (const TimedOp& one : ops) {
    if (runs_in(*one.op, TimerSpan::kForward) || runs_in(*one.op, TimerSpan::kBackward)) {
      first = std::min(first, one.start);
      last = std::max(last, one.end);
    }
  }
  if (span == TimerSpan::kForwardBackward) {
    return Seconds(std::max(0.0, last - first));
  }
  return Seconds(exposed_time(ops, [&](const TimedOp& one) {
    const Phase phase = one.op->phase;
    const bool at_ends =
        one.op->kind == OpKind::kCollective && one.op->group == GroupKind::kFirstAndLastStage;
    switch (span) {
      case TimerSpan::kGradientSync:
        return phase == Phase::kGradientSync && !at_ends;
      case TimerSpan::kEmbeddingSync:
        return at_ends;
      case TimerSpan::kParameterGather:
        return phase == Phase::kParameterGather && one.start >= last;
      default:
        return phase == Phase::kOptimizer || (phase == Phase::kParameterGather && one.start >= last);
    }
  }));
}

Seconds longest_predicted_span(const Program& program, const Timeline& timeline, TimerSpan span) {
  Seconds longest;
  for (std::int32_t stage = 0; stage < static_cast<std::int32_t>(program.stages.size()); ++stage) {
    longest = std::max(longest, predicted_span(program, timeline, stage, span));
  }
  return longest;
}

}  // namespace portolan
