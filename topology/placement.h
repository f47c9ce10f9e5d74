#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "topology/cluster.h"

namespace portolan {

/// Ways in which work is divided over ranks.
enum class Axis : std::uint8_t { kTensor, kContext, kExpert, kData, kPipeline };
inline constexpr int kNumAxes = 5;

/// A rank's place along each axis, indexed by Axis.
using Coordinates = std::array<std::int32_t, kNumAxes>;

/// Maps coordinates to ranks and devices: rank r sits on device r, and `order` says which axis varies
/// fastest (the first). Each axis appears once in `order`; degrees are at least 1.
class Placement {
 public:
  Placement(std::array<std::int32_t, kNumAxes> degrees, std::array<Axis, kNumAxes> order);

  std::int32_t num_ranks() const;
  std::int32_t degree(Axis axis) const;
  std::int32_t rank_of(const Coordinates& coordinates) const;
  Coordinates coordinates_of(std::int32_t rank) const;
  DeviceIndex device_of(const Coordinates& coordinates) const { return rank_of(coordinates); }

 private:
  std::array<std::int32_t, kNumAxes> degrees_;
  std::array<std::int32_t, kNumAxes> strides_;
};

}  // namespace portolan
