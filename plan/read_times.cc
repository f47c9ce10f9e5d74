#include <algorithm>
#include <cassert>
#include <optional>

#include "plan/unfold.h"

namespace portolan {

namespace {

const CostedOp& op_of(const CostedProgram& program, const Unit& unit, const OpInstance& instance) {
  return program.stages[static_cast<std::size_t>(unit.stage)]
      .in_slot(instance.slot)
      .ops[static_cast<std::size_t>(instance.op)];
}

const Op& source_op(const CostedProgram& program, const Unit& unit, const OpInstance& instance,
                    std::int32_t op) {
  const Stage& stage = program.source->stages[static_cast<std::size_t>(unit.stage)];
  const Slot& slot = stage.order[static_cast<std::size_t>(instance.slot)];
  return stage.templates[static_cast<std::size_t>(slot.template_index)].ops[static_cast<std::size_t>(op)];
}

/// Where the time of communication along an axis, or of a copy, is booked.
Seconds& exposed(Breakdown& breakdown, const Op& op) {
  if (op.kind == OpKind::kCopy) {
    return breakdown.offload;
  }
  if (op.phase == Phase::kGradientSync || op.phase == Phase::kParameterGather) {
    return breakdown.exposed_data;
  }
  if (op.axes.contains(Axis::kData)) {
    return breakdown.exposed_data;
  }
  if (op.axes.contains(Axis::kPipeline)) {
    return breakdown.exposed_pipeline;
  }
  if (op.axes.contains(Axis::kExpert)) {
    return breakdown.exposed_expert;
  }
  return op.axes.contains(Axis::kContext) ? breakdown.exposed_context : breakdown.exposed_tensor;
}

Seconds& computed(Breakdown& breakdown, const Op& op) {
  if (op.kind != OpKind::kCompute) {
    return exposed(breakdown, op);  // a tensor collective folded into compute
  }
  if (op.phase == Phase::kRecompute) {
    return breakdown.recompute;
  }
  if (op.phase == Phase::kGradientSync) {
    return breakdown.other;
  }
  return op.phase == Phase::kOptimizer ? breakdown.optimizer : breakdown.compute;
}

/// Books the units's compute lane from `clock` on.
class LaneAccount {
 public:
  LaneAccount(const CostedProgram& program, const UnfoldedProgram& unfolded, const ActivityTimes& times,
              const Unit& unit)
      : program_(program), unfolded_(unfolded), times_(times), unit_(unit) {}

  double start(const OpInstance& instance) const {
    return times_.start_s[static_cast<std::size_t>(instance.begin)];
  }
  double end(const OpInstance& instance) const {
    return times_.end_s[static_cast<std::size_t>(instance.end)];
  }

  /// The lane was idle from the clock until `until`, at last because of `cause`: walks back along what each
  /// communication waited for, books the time that they were under way, and calls the rest bubble.
  void idle(double until, const OpInstance* cause) {
    double end_of_gap = std::max(until, clock_);
    const double gap = end_of_gap - clock_;
    double in_flight = 0;
    for (; cause != nullptr && end_of_gap > clock_ && !is_compute(*cause); cause = last_predecessor(*cause)) {
      end_of_gap = std::min(end_of_gap, end(*cause));
      const double part = std::max(0.0, end_of_gap - std::max(start(*cause), clock_));
      exposed(breakdown_, source_op(program_, unit_, *cause,
                                    op_of(program_, unit_, *cause).parts.front().op)) += Seconds(part);
      in_flight += part;
      end_of_gap = std::min(end_of_gap, start(*cause));
    }
    breakdown_.bubble += Seconds(gap - in_flight);
    clock_ += gap;
  }

  void compute(const OpInstance& instance) {
    idle(start(instance), last_predecessor(instance));
    const CostedOp& op = op_of(program_, unit_, instance);
    const double elapsed = end(instance) - start(instance);
    for (const CostedPart& part : op.parts) {
      const auto share = [&](Seconds time) {
        return Seconds(op.duration.value > 0 ? elapsed * (time / op.duration) : 0);
      };
      computed(breakdown_, source_op(program_, unit_, instance, part.op)) += share(part.duration - part.wait);
      if (part.wait > Seconds(0)) {
        exposed(breakdown_, source_op(program_, unit_, instance, part.waited_for)) += share(part.wait);
      }
    }
    clock_ = end(instance);
  }

  const OpInstance* last_predecessor(const OpInstance& instance) const {
    const OpInstance* last = nullptr;
    for (std::int32_t i = instance.predecessors_begin; i < instance.predecessors_end; ++i) {
      const OpInstance& candidate =
          unit_.instances[static_cast<std::size_t>(unfolded_.predecessors[static_cast<std::size_t>(i)])];
      if (last == nullptr || end(candidate) >= end(*last)) {
        last = &candidate;
      }
    }
    return last;
  }

  bool is_compute(const OpInstance& instance) const {
    return op_of(program_, unit_, instance).kind == OpKind::kCompute;
  }
  const Breakdown& breakdown() const { return breakdown_; }

 private:
  const CostedProgram& program_;
  const UnfoldedProgram& unfolded_;
  const ActivityTimes& times_;
  const Unit& unit_;
  Breakdown breakdown_;
  double clock_ = 0;
};

}  // namespace

Timeline expand_timeline(const CostedProgram& program, const UnfoldedProgram& unfolded,
                         const ActivityTimes& times) {
  const OpIds ids(*program.source);
  Timeline timeline;
  timeline.makespan = times.makespan;
  for (const Unit& unit : unfolded.units) {
    const Stage& stage = program.source->stages[static_cast<std::size_t>(unit.stage)];
    for (const OpInstance& instance : unit.instances) {
      const CostedOp& op = op_of(program, unit, instance);
      const Slot& slot = stage.order[static_cast<std::size_t>(instance.slot)];
      const double start = times.start_s[static_cast<std::size_t>(instance.begin)];
      const double end = times.end_s[static_cast<std::size_t>(instance.end)];
      // On a device whose speed changes all parts of an activity are stretched alike.
      const bool stretched = !unfolded.graph.changes.empty() && op.kind == OpKind::kCompute;
      const double pace = stretched && op.duration > Seconds(0) ? (end - start) / op.duration.value : 1;
      double offset = 0;
      for (const CostedPart& part : op.parts) {
        const std::int64_t id = ids.id(unit.stage, slot.template_index, part.op, slot.microbatch);
        const bool only = op.parts.size() == 1;
        const double from = start + offset + pace * (part.wait.value + part.delay.value);
        offset += pace * part.duration.value;
        const double to = part.beside > Seconds(0) ? from + pace * part.beside.value
                          : only                   ? end
                                                   : start + offset;
        timeline.entries.push_back({id, unit.rank, Seconds(from), Seconds(to)});
      }
    }
  }
  return timeline;
}

std::vector<RankTime> rank_times(const CostedProgram& program, const UnfoldedProgram& unfolded,
                                 const ActivityTimes& times) {
  std::vector<RankTime> ranks;
  for (const Unit& unit : unfolded.units) {
    const LaneAccount account(program, unfolded, times, unit);
    RankTime time{.rank = unit.rank, .stage = unit.stage, .compute = {}};
    for (const OpInstance& instance : unit.instances) {
      if (account.is_compute(instance)) {
        time.compute += Seconds(account.end(instance) - account.start(instance));
      }
    }
    ranks.push_back(time);
  }
  return ranks;
}

Breakdown breakdown_of(const CostedProgram& program, const UnfoldedProgram& unfolded,
                       const ActivityTimes& times) {
  const Unit* last_unit = nullptr;
  double last_end = -1;
  for (const Unit& unit : unfolded.units) {
    for (const OpInstance& instance : unit.instances) {
      const double end = times.end_s[static_cast<std::size_t>(instance.end)];
      if (end > last_end) {
        last_end = end;
        last_unit = &unit;
      }
    }
  }
  if (last_unit == nullptr) {
    return {};
  }
  LaneAccount account(program, unfolded, times, *last_unit);
  const OpInstance* last_communication = nullptr;
  for (const OpInstance& instance : last_unit->instances) {
    if (account.is_compute(instance)) {
      account.compute(instance);
    } else if (last_communication == nullptr || account.end(instance) >= account.end(*last_communication)) {
      last_communication = &instance;
    }
  }
  account.idle(last_end, last_communication);
  return account.breakdown();
}

}  // namespace portolan
