#include "plan/rank_place.h"

#include <algorithm>

#include "plan/costed_program.h"

namespace portolan {

namespace {

std::int32_t degree(const Program& program, Axis axis) {
  return program.degrees[static_cast<std::size_t>(axis)];
}

/// Along these the text is divided, along all others the model.
bool divides_text(Axis axis) { return axis != Axis::kPipeline && axis != Axis::kTensor; }

}  // namespace

std::int32_t stage_of(const Program& program, std::int32_t rank) {
  return placement_of(program).coordinates_of(rank)[static_cast<std::size_t>(Axis::kPipeline)];
}

std::int32_t num_replicas(const Program& program) {
  std::int32_t product = 1;
  for (const Axis axis : program.axis_order) {
    product *= divides_text(axis) ? degree(program, axis) : 1;
  }
  return product;
}

std::int32_t replica_of(const Program& program, std::int32_t rank) {
  const Coordinates place = placement_of(program).coordinates_of(rank);
  std::int32_t replica = 0;
  std::int32_t stride = 1;
  for (const Axis axis : program.axis_order) {
    if (divides_text(axis)) {
      replica += place[static_cast<std::size_t>(axis)] * stride;
      stride *= degree(program, axis);
    }
  }
  return replica;
}

std::int32_t peer_of(const Program& program, std::int32_t rank, const Op& op) {
  return peer_of(placement_of(program), rank, op);
}

std::int32_t peer_of(const Placement& placement, std::int32_t rank, const Op& op) {
  Coordinates place = placement.coordinates_of(rank);
  place[static_cast<std::size_t>(op.axis)] += op.peer_offset;
  return placement.rank_of(place);
}

std::vector<std::int32_t> group_of(const Program& program, std::int32_t rank, const Op& op) {
  return group_of(placement_of(program), rank, op);
}

std::vector<std::int32_t> group_of(const Placement& placement, std::int32_t rank, const Op& op) {
  Coordinates place = placement.coordinates_of(rank);
  const std::int32_t degree = placement.degree(op.axis);
  const std::int32_t own = place[static_cast<std::size_t>(op.axis)];
  const auto joins = [&](std::int32_t i) {
    switch (op.group) {
      case GroupKind::kAxis:
        return true;
      case GroupKind::kFirstAndLastStage:
        return i == 0 || i == degree - 1;
      case GroupKind::kAxisBlock:
        return i / op.group_size == own / op.group_size;
      case GroupKind::kAxisStride:
        return i % op.group_size == own % op.group_size;
    }
    return false;
  };
  std::vector<std::int32_t> ranks;
  for (std::int32_t i = 0; i < degree; ++i) {
    if (joins(i)) {
      place[static_cast<std::size_t>(op.axis)] = i;
      ranks.push_back(placement.rank_of(place));
    }
  }
  std::sort(ranks.begin(), ranks.end());
  return ranks;
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
