#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "topology/cluster.h"

namespace portolan {

/// Ways in which work is divided over ranks.
enum class Axis : std::uint8_t { kTensor, kContext, kExpert, kData, kPipeline };
inline constexpr int kNumAxes = 5;
inline constexpr std::array<Axis, kNumAxes> kAllAxes = {Axis::kTensor, Axis::kContext, Axis::kExpert,
                                                        Axis::kData, Axis::kPipeline};

/// Some of the axes.
class AxisSet {
 public:
  constexpr AxisSet() = default;
  constexpr AxisSet(std::initializer_list<Axis> axes) {
    for (const Axis axis : axes) {
      insert(axis);
    }
  }
  constexpr void insert(Axis axis) { bits_ = static_cast<std::uint8_t>(bits_ | bit(axis)); }
  constexpr bool contains(Axis axis) const { return (bits_ & bit(axis)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr AxisSet without(AxisSet others) const {
    AxisSet rest;
    rest.bits_ = static_cast<std::uint8_t>(bits_ & ~others.bits_);
    return rest;
  }
  /// Whether every axis of this set is in `others`.
  constexpr bool within(AxisSet others) const { return (bits_ & ~others.bits_) == 0; }

  auto operator<=>(const AxisSet&) const = default;

 private:
  static constexpr std::uint8_t bit(Axis axis) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(axis));
  }
  std::uint8_t bits_ = 0;
};

/// A rank's place along each axis, indexed by Axis.
using Coordinates = std::array<std::int32_t, kNumAxes>;

/// Maps coordinates to ranks and devices: rank r sits on device r, and `order` says which axis varies
/// fastest (the first). Each axis appears once in `order`; degrees are at least 1.
class Placement {
 public:
  Placement(std::array<std::int32_t, kNumAxes> degrees, std::array<Axis, kNumAxes> order);

  std::int32_t num_ranks() const;
  std::int32_t degree(Axis axis) const;
  /// How far apart neighbours along the axis are.
  std::int32_t stride(Axis axis) const;
  /// From the axis that varies fastest.
  const std::array<Axis, kNumAxes>& order() const { return order_; }
  std::int32_t rank_of(const Coordinates& coordinates) const;
  Coordinates coordinates_of(std::int32_t rank) const;

  /// Ranks that differ from one another along `axes` only: how many, those around `rank` in ascending order,
  /// the place of `rank` among them, and the rank at place `position` among those around `rank`.
  std::int32_t num_along(AxisSet axes) const;
  std::vector<std::int32_t> ranks_along(std::int32_t rank, AxisSet axes) const;
  std::int32_t position_along(std::int32_t rank, AxisSet axes) const;
  std::int32_t rank_along(std::int32_t rank, AxisSet axes, std::int32_t position) const;
  DeviceIndex device_of(const Coordinates& coordinates) const { return rank_of(coordinates); }

  auto operator<=>(const Placement&) const = default;

 private:
  std::array<std::int32_t, kNumAxes> degrees_;
  std::array<std::int32_t, kNumAxes> strides_;
  std::array<Axis, kNumAxes> order_;
};

}  // namespace portolan
