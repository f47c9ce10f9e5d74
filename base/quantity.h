#pragma once

#include <compare>
#include <cstdint>

namespace portolan {

/// A number with a unit in its type. Quantities of one unit add, subtract and compare; a ratio of two
/// is a plain number. `.value` is for the edges of the program (SimGrid, CUDA, files) and for formulas
/// that mix units in a way no operator below names.
template <typename Unit, typename Representation = double>
struct Quantity {
  Representation value{};

  constexpr Quantity() = default;
  constexpr explicit Quantity(Representation v) : value(v) {}

  constexpr auto operator<=>(const Quantity&) const = default;
  // Written out, as compilers make more of it than of the three-way comparison of two doubles.
  friend constexpr bool operator<(Quantity a, Quantity b) { return a.value < b.value; }
  friend constexpr bool operator>(Quantity a, Quantity b) { return a.value > b.value; }

  constexpr Quantity& operator+=(Quantity other) {
    value += other.value;
    return *this;
  }
  constexpr Quantity& operator-=(Quantity other) {
    value -= other.value;
    return *this;
  }
  friend constexpr Quantity operator+(Quantity a, Quantity b) { return Quantity(a.value + b.value); }
  friend constexpr Quantity operator-(Quantity a, Quantity b) { return Quantity(a.value - b.value); }
  friend constexpr Quantity operator*(Quantity a, Representation factor) {
    return Quantity(a.value * factor);
  }
  friend constexpr Quantity operator*(Representation factor, Quantity a) {
    return Quantity(factor * a.value);
  }
  friend constexpr Quantity operator/(Quantity a, Representation divisor) {
    return Quantity(a.value / divisor);
  }
  friend constexpr double operator/(Quantity a, Quantity b) {
    return static_cast<double>(a.value) / static_cast<double>(b.value);
  }
};

/// Wall-clock or simulated time, s.
using Seconds = Quantity<struct SecondsUnit>;
/// An amount of memory or payload. Whole bytes: memory predictions are compared for equality.
using Bytes = Quantity<struct BytesUnit, std::int64_t>;
/// Rate of data, B/s.
using BytesPerSecond = Quantity<struct BytesPerSecondUnit>;
/// Floating-point operations; a multiply-add counts two.
using Flops = Quantity<struct FlopsUnit>;
/// Rate of arithmetic, FLOP/s.
using FlopsPerSecond = Quantity<struct FlopsPerSecondUnit>;
/// Power, W.
using Watts = Quantity<struct WattsUnit>;
/// Energy, J.
using Joules = Quantity<struct JoulesUnit>;

constexpr Seconds operator/(Bytes size, BytesPerSecond rate) {
  return Seconds(static_cast<double>(size.value) / rate.value);
}
constexpr BytesPerSecond operator/(Bytes size, Seconds time) {
  return BytesPerSecond(static_cast<double>(size.value) / time.value);
}
constexpr Seconds operator/(Flops work, FlopsPerSecond rate) { return Seconds(work.value / rate.value); }
constexpr FlopsPerSecond operator/(Flops work, Seconds time) {
  return FlopsPerSecond(work.value / time.value);
}
constexpr Joules operator*(Watts power, Seconds time) { return Joules(power.value * time.value); }

inline constexpr std::int64_t kKibi = 1024;
inline constexpr std::int64_t kMebi = 1024 * kKibi;
inline constexpr std::int64_t kGibi = 1024 * kMebi;

}  // namespace portolan
