#include "plan/rank_place.h"

#include <algorithm>

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

namespace {

/// Places of a group's members along the op's axes: every step-th from the first on.
struct GroupPlaces {
  std::int32_t first = 0;
  std::int32_t step = 1;
  std::int32_t members = 1;
};

GroupPlaces group_places(const Placement& placement, std::int32_t rank, const Op& op) {
  const std::int32_t count = placement.num_along(op.axes);
  const std::int32_t own = placement.position_along(rank, op.axes);
  switch (op.group) {
    case GroupKind::kAxes:
      break;
    case GroupKind::kFirstAndLastStage:
      return {.first = 0, .step = std::max(count - 1, 1), .members = std::min(count, 2)};
    case GroupKind::kBlock: {
      const std::int32_t first = own - own % op.group_size;
      return {.first = first, .step = 1, .members = std::min(op.group_size, count - first)};
    }
    case GroupKind::kStride: {
      const std::int32_t first = own % op.group_size;
      return {.first = first,
              .step = op.group_size,
              .members = (count - first + op.group_size - 1) / op.group_size};
    }
  }
  return {.first = 0, .step = 1, .members = count};
}

}  // namespace

std::vector<std::int32_t> group_of(const Placement& placement, std::int32_t rank, const Op& op) {
  if (op.group == GroupKind::kAxes) {
    return placement.ranks_along(rank, op.axes);
  }
  std::vector<std::int32_t> ranks(static_cast<std::size_t>(group_size_of(placement, rank, op)));
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    ranks[i] = member_of_group(placement, rank, op, static_cast<std::int32_t>(i));
  }
  return ranks;
}

std::int32_t member_of_group(const Placement& placement, std::int32_t rank, const Op& op,
                             std::int32_t index) {
  const GroupPlaces places = group_places(placement, rank, op);
  return placement.rank_along(rank, op.axes, places.first + index * places.step);
}

std::int32_t group_size_of(const Placement& placement, std::int32_t rank, const Op& op) {
  return group_places(placement, rank, op).members;
}

std::int32_t leader_of(const Placement& placement, std::int32_t rank, const Op& op) {
  return placement.rank_along(rank, op.axes, group_places(placement, rank, op).first);
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
