#include "plan/rank_place.h"

namespace portolan {

namespace {

std::int32_t degree(const Program& program, Axis axis) {
  return program.degrees[static_cast<std::size_t>(axis)];
}

/// Along these ranks read different sequences; along all others they share them.
constexpr AxisSet kTextAxes = {Axis::kExpert, Axis::kData};

}  // namespace

Placement placement_of(const Program& program) { return {program.degrees, program.axis_order}; }

Placement placement_of(const Strategy& s) {
  return {{s.tensor_parallel, s.context_parallel, s.expert_parallel, s.data_parallel / s.expert_parallel,
           s.pipeline_parallel},
          s.axis_order};
}

std::int32_t stage_of(const Program& program, std::int32_t rank) {
  return placement_of(program).coordinates_of(rank)[static_cast<std::size_t>(Axis::kPipeline)];
}

std::int32_t num_replicas(const Program& program) { return placement_of(program).num_along(kTextAxes); }

std::int32_t replica_of(const Program& program, std::int32_t rank) {
  return placement_of(program).position_along(rank, kTextAxes);
}

std::int32_t peer_of(const Program& program, std::int32_t rank, const Op& op) {
  return peer_of(placement_of(program), rank, op);
}

std::int32_t peer_of(const Placement& placement, std::int32_t rank, const Op& op) {
  Coordinates place = placement.coordinates_of(rank);
  place[static_cast<std::size_t>(Axis::kPipeline)] += op.peer_offset;
  return placement.rank_of(place);
}

std::vector<std::int32_t> group_of(const Program& program, std::int32_t rank, const Op& op) {
  return group_of(placement_of(program), rank, op);
}

std::vector<std::int32_t> group_of(const Placement& placement, std::int32_t rank, const Op& op) {
  const std::vector<std::int32_t> all = placement.ranks_along(rank, op.axes);
  if (op.group == GroupKind::kAxes) {
    return all;
  }
  const auto count = static_cast<std::int32_t>(all.size());
  const std::int32_t own = placement.position_along(rank, op.axes);
  const auto joins = [&](std::int32_t i) {
    switch (op.group) {
      case GroupKind::kAxes:
        return true;
      case GroupKind::kFirstAndLastStage:
        return i == 0 || i == count - 1;
      case GroupKind::kBlock:
        return i / op.group_size == own / op.group_size;
      case GroupKind::kStride:
        return i % op.group_size == own % op.group_size;
    }
    return false;
  };
  std::vector<std::int32_t> ranks;
  for (std::int32_t i = 0; i < count; ++i) {
    if (joins(i)) {
      ranks.push_back(all[static_cast<std::size_t>(i)]);
    }
  }
  return ranks;
}

std::int32_t leader_of(const Placement& placement, std::int32_t rank, const Op& op) {
  const std::int32_t own = placement.position_along(rank, op.axes);
  const std::int32_t first = op.group == GroupKind::kBlock    ? own - own % op.group_size
                             : op.group == GroupKind::kStride ? own % op.group_size
                                                              : 0;
  return placement.rank_along(rank, op.axes, first);
}

std::optional<Axis> find_axis_within_kernels(const Program& program) {
  for (const Axis axis : {Axis::kTensor, Axis::kContext, Axis::kExpert}) {
    if (degree(program, axis) > 1) {
      return axis;
    }
  }
  return std::nullopt;
}

}  // namespace portolan
