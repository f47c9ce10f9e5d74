#include "topology/placement.h"

#include <cassert>
#include <cstddef>

namespace portolan {

namespace {

std::size_t index_of(Axis axis) { return static_cast<std::size_t>(axis); }

}  // namespace

Placement::Placement(std::array<std::int32_t, kNumAxes> degrees, std::array<Axis, kNumAxes> order)
    : degrees_(degrees), strides_{} {
  std::int64_t stride = 1;
  for (const Axis axis : order) {
    assert(strides_[index_of(axis)] == 0);  // an axis appears once in the order
    assert(degrees_[index_of(axis)] >= 1);
    strides_[index_of(axis)] = static_cast<std::int32_t>(stride);
    stride *= degrees_[index_of(axis)];
    assert(stride <= INT32_MAX);
  }
}

std::int32_t Placement::num_ranks() const {
  std::int32_t product = 1;
  for (const std::int32_t degree : degrees_) {
    product *= degree;
  }
  return product;
}

std::int32_t Placement::degree(Axis axis) const { return degrees_[index_of(axis)]; }

std::int32_t Placement::rank_of(const Coordinates& coordinates) const {
  std::int32_t rank = 0;
  for (std::size_t axis = 0; axis < kNumAxes; ++axis) {
    assert(coordinates[axis] >= 0 && coordinates[axis] < degrees_[axis]);
    rank += coordinates[axis] * strides_[axis];
  }
  return rank;
}

Coordinates Placement::coordinates_of(std::int32_t rank) const {
  assert(rank >= 0 && rank < num_ranks());
  Coordinates coordinates{};
  for (std::size_t axis = 0; axis < kNumAxes; ++axis) {
    coordinates[axis] = rank / strides_[axis] % degrees_[axis];
  }
  return coordinates;
}

}  // namespace portolan
