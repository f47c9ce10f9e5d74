#pragma once

#include <array>
#include <cstddef>

#include "base/quantity.h"
#include "topology/placement.h"

namespace portolan {

/// A time for each axis: what compute waits for communication along it.
struct AxisSeconds {
  std::array<Seconds, kNumAxes> by_axis{};

  Seconds& operator[](Axis axis) { return by_axis[static_cast<std::size_t>(axis)]; }
  Seconds operator[](Axis axis) const { return by_axis[static_cast<std::size_t>(axis)]; }

  Seconds total() const {
    Seconds sum;
    for (const Seconds time : by_axis) {
      sum += time;
    }
    return sum;
  }
  AxisSeconds operator+(const AxisSeconds& other) const {
    AxisSeconds sum = *this;
    for (std::size_t i = 0; i < by_axis.size(); ++i) {
      sum.by_axis[i] += other.by_axis[i];
    }
    return sum;
  }
  AxisSeconds operator*(double times) const {
    AxisSeconds product;
    for (std::size_t i = 0; i < by_axis.size(); ++i) {
      product.by_axis[i] = by_axis[i] * times;
    }
    return product;
  }

  bool operator==(const AxisSeconds&) const = default;
};

}  // namespace portolan
