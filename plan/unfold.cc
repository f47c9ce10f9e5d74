#include "plan/unfold.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <map>
#include <tuple>

#include "plan/communication_flows.h"
#include "plan/graph_builder.h"
#include "plan/group_flows.h"
#include "plan/rank_place.h"
#include "plan/rate_changes.h"

namespace portolan {

namespace {

/// First and last activity of a communication.
struct Meeting {
  std::int32_t begin = 0;
  std::int32_t end = 0;
  std::int32_t num_arrivals = 0;
  std::int32_t num_expected = 0;
};

/// Identity of a communication among all units: those that take part look it up under one key.
using MeetingKey = std::array<std::int32_t, 5>;

class Unfolder {
 public:
  Unfolder(const CostedProgram& program, const Cluster& cluster, std::span<const ShareChange> changes)
      : costed_(program),
        source_(*program.source),
        groups_(program.flows->groups()),
        cluster_(cluster),
        changes_(changes),
        flows_(program, cluster, builder_) {
    speeds_differ_ = !cluster.is_healthy() || !changes.empty();
    if (program.fidelity != Fidelity::kFolded) {
      unit_axes_ = {Axis::kContext, Axis::kExpert, Axis::kData};
    }
    if (program.fidelity == Fidelity::kExplicit) {
      unit_axes_.insert(Axis::kTensor);
    }
  }

  Result<UnfoldedProgram> run();

 private:
  /// Progress through one unit's order list.
  struct UnitState {
    std::int32_t index = 0;
    std::int32_t rank = 0;
    std::int32_t stage = 0;
    std::vector<std::int32_t> lane_tail;             ///< last instance in each lane
    std::vector<std::int32_t> slot_first_instance;   ///< by slot
    std::vector<std::int32_t> last_compute_at_slot;  ///< instance, or -1
    std::vector<std::int32_t> copies;                ///< instances: to the host
    std::vector<std::int32_t> copies_at_slot;        ///< their number at the end of each slot
    std::map<std::pair<std::int32_t, std::int32_t>, std::int32_t> last_slots;  ///< by chunk and microbatch
    std::int32_t last_compute = -1;
    std::map<std::int32_t, std::int32_t> occurrences;  ///< of collectives that several stages share, by lane
  };

  const Placement& placement() const { return groups_.placement(); }
  void add_unit(std::int32_t rank);
  void add_slot(UnitState& state, std::int32_t slot);
  std::pair<std::int32_t, std::int32_t> activities_of(UnitState& state, std::int32_t slot,
                                                      std::int32_t op_index);
  Meeting& meeting(UnitState& state, const Slot& slot, const Op& op, std::int32_t op_index);
  MeetingKey meeting_key(UnitState& state, const Slot& slot, const Op& op, std::int32_t op_index);
  std::int32_t expected_arrivals(const Op& op) const;
  void make_meeting(Meeting& made, const UnitState& state, const Op& op);
  std::int32_t awaited_copy(const UnitState& state, const Predecessor& predecessor,
                            std::int32_t slot_index) const;
  void link_predecessors(UnitState& state, std::int32_t slot, const CostedOp& op, OpInstance& instance);

  const CostedProgram& costed_;
  const Program& source_;
  const GroupFlows& groups_;
  const Cluster& cluster_;
  std::span<const ShareChange> changes_;
  bool speeds_differ_ = false;  ///< some GPU is, or becomes, slower
  GraphBuilder builder_;
  CommunicationFlows flows_;
  AxisSet unit_axes_;  ///< along these every rank is a unit; along the others one stands for all
  std::map<MeetingKey, Meeting> meetings_;
  UnfoldedProgram result_;
};

MeetingKey Unfolder::meeting_key(UnitState& state, const Slot& slot, const Op& op, std::int32_t op_index) {
  constexpr std::int32_t kPointToPoint = -1, kEndStages = -2;
  if (op.kind != OpKind::kCollective) {
    const std::int32_t replica = placement().rank_along(state.rank, {Axis::kPipeline}, 0);
    return {kPointToPoint, op.channel, slot.microbatch, replica, 0};
  }
  if (op.group == GroupKind::kFirstAndLastStage) {
    return {kEndStages, op.lane, state.occurrences[op.lane]++, leader_of(placement(), state.rank, op), 0};
  }
  return {state.stage, slot.template_index, slot.microbatch, leader_of(placement(), state.rank, op),
          op_index};
}

std::int32_t Unfolder::expected_arrivals(const Op& op) const {
  if (op.kind != OpKind::kCollective) {
    return 2;
  }
  if (op.group == GroupKind::kFirstAndLastStage) {
    return placement().degree(Axis::kPipeline) > 1 ? 2 : 1;
  }
  AxisSet joined;
  for (const Axis axis : kAllAxes) {
    if (op.axes.contains(axis) && unit_axes_.contains(axis)) {
      joined.insert(axis);
    }
  }
  const std::int32_t members = placement().num_along(joined);
  if (op.group == GroupKind::kAxes || members == 1) {
    return members;  // a folded unit stands for them all
  }
  return op.group == GroupKind::kBlock ? op.group_size : members / op.group_size;
}

void Unfolder::make_meeting(Meeting& made, const UnitState& state, const Op& op) {
  const bool one_rail = costed_.fidelity == Fidelity::kReplicas;
  if (costed_.fidelity == Fidelity::kFolded || one_rail) {
    const std::vector<Activity>& transfers =
        one_rail ? flows_.rail_transfers(op, state.rank) : flows_.representatives(op, state.stage);
    if (transfers.size() <= 1) {
      made.begin = made.end = transfers.empty() ? builder_.add_join() : builder_.add(transfers.front());
      return;
    }
    made.begin = builder_.add_join();
    made.end = builder_.add_join();
    flows_.add_together(transfers, made.begin, made.end);
    return;
  }
  made.begin = builder_.add_join();
  made.end = builder_.add_join();
  builder_.add_edge(made.begin, made.end);
  // Below explicit one unit stands for all rails of its replica.
  const bool for_rails = !unit_axes_.contains(Axis::kTensor) && !op.axes.contains(Axis::kTensor);
  for (const std::int32_t rank :
       placement().ranks_along(state.rank, for_rails ? AxisSet{Axis::kTensor} : AxisSet{})) {
    flows_.add_transfers(groups_.of_group(op, rank), made.begin, made.end);
  }
}

Meeting& Unfolder::meeting(UnitState& state, const Slot& slot, const Op& op, std::int32_t op_index) {
  const auto [found, inserted] = meetings_.try_emplace(meeting_key(state, slot, op, op_index));
  if (inserted) {
    make_meeting(found->second, state, op);
    found->second.num_expected = expected_arrivals(op);
  }
  ++found->second.num_arrivals;
  return found->second;
}

std::pair<std::int32_t, std::int32_t> Unfolder::activities_of(UnitState& state, std::int32_t slot_index,
                                                              std::int32_t op_index) {
  const auto stage = static_cast<std::size_t>(state.stage);
  const Slot& slot = source_.stages[stage].order[static_cast<std::size_t>(slot_index)];
  const CostedOp& op = costed_.stages[stage].in_slot(slot_index).ops[static_cast<std::size_t>(op_index)];
  if (op.kind == OpKind::kCompute || op.is_timed) {
    const std::int32_t activity = builder_.add(
        {.kind = Activity::Kind::kCompute,
         .device = state.index,
         .seconds = op.duration,
         .fixed = speeds_differ_ ? fixed_part(costed_, state.stage, slot_index, op) : Seconds(0)});
    return {activity, activity};
  }
  const std::int32_t source_op = op.parts.front().op;
  const Op& source = source_.stages[stage]
                         .templates[static_cast<std::size_t>(slot.template_index)]
                         .ops[static_cast<std::size_t>(source_op)];
  if (op.kind == OpKind::kCopy) {
    Meeting alone;
    make_meeting(alone, state, source);
    return {alone.begin, alone.end};
  }
  const Meeting& met = meeting(state, slot, source, source_op);
  return {met.begin, met.end};
}

/// The instance of a copy to the host: those before it are over when it is. -1: there is none.
std::int32_t Unfolder::awaited_copy(const UnitState& state, const Predecessor& p,
                                    std::int32_t slot_index) const {
  const auto end_of = [&](std::int32_t slot) { return state.copies_at_slot[static_cast<std::size_t>(slot)]; };
  std::int32_t copies = 0;
  if (p.kind == Predecessor::Kind::kToHost) {
    copies = (slot_index > 0 ? end_of(slot_index - 1) : 0) - p.op;
  } else {
    const Stage& stage = source_.stages[static_cast<std::size_t>(state.stage)];
    const Slot& slot = stage.order[static_cast<std::size_t>(slot_index)];
    const Template& t = stage.templates[static_cast<std::size_t>(slot.template_index)];
    const auto own = state.last_slots.find({t.chunk, slot.microbatch});
    copies = own == state.last_slots.end() ? 0 : end_of(own->second);
  }
  return copies > 0 ? state.copies[static_cast<std::size_t>(copies) - 1] : -1;
}

void Unfolder::link_predecessors(UnitState& state, std::int32_t slot, const CostedOp& op,
                                 OpInstance& instance) {
  std::vector<OpInstance>& instances = result_.units[static_cast<std::size_t>(state.index)].instances;
  instance.predecessors_begin = static_cast<std::int32_t>(result_.predecessors.size());
  const auto wait_for = [&](std::int32_t predecessor) {
    if (predecessor >= 0) {
      result_.predecessors.push_back(predecessor);
      builder_.add_edge(instances[static_cast<std::size_t>(predecessor)].end, instance.begin);
    }
  };
  wait_for(state.lane_tail[static_cast<std::size_t>(op.lane)]);
  const CostedStage& stage = costed_.stages[static_cast<std::size_t>(state.stage)];
  const auto is_copy = [&](const OpInstance& other) {
    return stage.in_slot(other.slot).ops[static_cast<std::size_t>(other.op)].kind == OpKind::kCopy;
  };
  const auto first_of = [&](std::int32_t s) {
    return state.slot_first_instance[static_cast<std::size_t>(s)];
  };
  for (const Predecessor& p : op.predecessors) {
    const std::int32_t past = slot - p.slots_back;
    switch (p.kind) {
      case Predecessor::Kind::kOp:
        wait_for(first_of(slot) + p.op);
        break;
      case Predecessor::Kind::kLastCompute:
        wait_for(past >= 0 ? state.last_compute_at_slot[static_cast<std::size_t>(past)] : -1);
        break;
      case Predecessor::Kind::kAllOps:
        for (std::int32_t i = past >= 0 ? first_of(past) : 0; past >= 0 && i < first_of(past + 1); ++i) {
          if (!is_copy(instances[static_cast<std::size_t>(i)])) {
            wait_for(i);
          }
        }
        break;
      case Predecessor::Kind::kToHost:
      case Predecessor::Kind::kOwnToHost:
        wait_for(awaited_copy(state, p, slot));
        break;
    }
  }
  instance.predecessors_end = static_cast<std::int32_t>(result_.predecessors.size());
}

void Unfolder::add_slot(UnitState& state, std::int32_t slot_index) {
  const auto stage = static_cast<std::size_t>(state.stage);
  const CostedTemplate& t = costed_.stages[stage].in_slot(slot_index);
  const Slot& slot = source_.stages[stage].order[static_cast<std::size_t>(slot_index)];
  const Template& of_slot = source_.stages[stage].templates[static_cast<std::size_t>(slot.template_index)];
  std::vector<OpInstance>& instances = result_.units[static_cast<std::size_t>(state.index)].instances;
  state.slot_first_instance.push_back(static_cast<std::int32_t>(instances.size()));
  for (std::size_t o = 0; o < t.ops.size(); ++o) {
    const CostedOp& op = t.ops[o];
    OpInstance instance{.slot = slot_index, .op = static_cast<std::int32_t>(o)};
    std::tie(instance.begin, instance.end) = activities_of(state, slot_index, instance.op);
    link_predecessors(state, slot_index, op, instance);
    const auto index = static_cast<std::int32_t>(instances.size());
    state.lane_tail[static_cast<std::size_t>(op.lane)] = index;
    if (op.kind == OpKind::kCompute) {
      state.last_compute = index;
    } else if (op.kind == OpKind::kCopy &&
               of_slot.ops[static_cast<std::size_t>(op.parts.front().op)].to_host) {
      state.copies.push_back(index);
    }
    instances.push_back(instance);
  }
  state.last_compute_at_slot.push_back(state.last_compute);
  state.last_slots[{of_slot.chunk, slot.microbatch}] = slot_index;
  state.copies_at_slot.push_back(static_cast<std::int32_t>(state.copies.size()));
}

void Unfolder::add_unit(std::int32_t rank) {
  UnitState state;
  state.index = static_cast<std::int32_t>(result_.units.size());
  state.rank = rank;
  state.stage = placement().coordinates_of(rank)[static_cast<std::size_t>(Axis::kPipeline)];
  state.lane_tail.assign(source_.lanes.size(), -1);
  result_.units.push_back({.stage = state.stage, .rank = rank, .instances = {}});
  const std::size_t num_slots = source_.stages[static_cast<std::size_t>(state.stage)].order.size();
  for (std::size_t slot = 0; slot < num_slots; ++slot) {
    add_slot(state, static_cast<std::int32_t>(slot));
  }
}

Result<UnfoldedProgram> Unfolder::run() {
  AxisSet axes = unit_axes_;
  axes.insert(Axis::kPipeline);
  for (const std::int32_t rank : placement().ranks_along(0, axes)) {
    add_unit(rank);
  }
  for (const auto& [key, met] : meetings_) {
    if (met.num_arrivals != met.num_expected) {
      return bad_input(fmt::format(
          "program: a communication (channel or stage {}, microbatch {}) is joined by {} of {} ranks", key[1],
          key[2], met.num_arrivals, met.num_expected));
    }
  }
  result_.graph = builder_.finish(static_cast<std::int32_t>(result_.units.size()));
  if (!cluster_.is_healthy() || !changes_.empty()) {
    result_.graph.changes = rate_changes(costed_, result_, cluster_, changes_);
  }
  return std::move(result_);
}

}  // namespace

Result<UnfoldedProgram> unfold(const CostedProgram& program, const Cluster& cluster,
                               std::span<const ShareChange> changes) {
  if (program.fidelity == Fidelity::kClosedForm) {
    return bad_input(
        fmt::format("fidelity {} cannot be simulated (allowed: folded, replicas, full, explicit)",
                    fidelity_name(program.fidelity)));
  }
  assert(program.fidelity >= Fidelity::kFull || (cluster.is_healthy() && changes.empty()));
  return Unfolder(program, cluster, changes).run();
}

}  // namespace portolan
