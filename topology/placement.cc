#include "topology/placement.h"

#include <cassert>
#include <cstddef>

namespace portolan {

namespace {

std::size_t index_of(Axis axis) { return static_cast<std::size_t>(axis); }

}  // namespace

Placement::Placement(std::array<std::int32_t, kNumAxes> degrees, std::array<Axis, kNumAxes> order)
    : degrees_(degrees), strides_{}, order_(order) {
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

std::int32_t Placement::stride(Axis axis) const { return strides_[index_of(axis)]; }

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

// Strides grow along order_, each at least the span of those before it: places among some ranks are digits of
// a number whose first axis in order_ is the lowest digit, and ascending places are ascending ranks.

std::int32_t Placement::num_along(AxisSet axes) const {
  std::int32_t product = 1;
  for (const Axis axis : order_) {
    product *= axes.contains(axis) ? degree(axis) : 1;
  }
  return product;
}

std::vector<std::int32_t> Placement::ranks_along(std::int32_t rank, AxisSet axes) const {
  std::vector<std::int32_t> ranks(1, rank_along(rank, axes, 0));
  ranks.reserve(static_cast<std::size_t>(num_along(axes)));
  for (const Axis axis : order_) {
    if (!axes.contains(axis)) {
      continue;
    }
    const std::size_t span = ranks.size();
    for (std::int32_t i = 1; i < degree(axis); ++i) {
      for (std::size_t k = 0; k < span; ++k) {
        ranks.push_back(ranks[k] + i * strides_[index_of(axis)]);
      }
    }
  }
  return ranks;
}

std::int32_t Placement::position_along(std::int32_t rank, AxisSet axes) const {
  std::int32_t position = 0;
  std::int32_t span = 1;
  for (const Axis axis : order_) {
    if (axes.contains(axis)) {
      position += rank / strides_[index_of(axis)] % degree(axis) * span;
      span *= degree(axis);
    }
  }
  return position;
}

std::int32_t Placement::rank_along(std::int32_t rank, AxisSet axes, std::int32_t position) const {
  assert(position >= 0 && position < num_along(axes));
  for (const Axis axis : order_) {
    if (axes.contains(axis)) {
      const std::int32_t stride = strides_[index_of(axis)];
      rank += (position % degree(axis) - rank / stride % degree(axis)) * stride;
      position /= degree(axis);
    }
  }
  return rank;
}

}  // namespace portolan
