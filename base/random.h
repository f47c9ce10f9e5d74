#pragma once

#include <cstdint>
#include <string_view>

namespace portolan {

/// A seeded stream of random numbers, the same on every platform and standard library
/// (the distributions of <random> are not). Generator: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
class RandomStream {
 public:
  explicit RandomStream(std::uint64_t seed) : state_(seed) {}
  /// A stream of its own for each name: parameters are initialised alike however they are placed.
  RandomStream(std::uint64_t seed, std::string_view name);

  std::uint64_t next_bits();
  /// Uniform in [0, 1), 53 bits.
  double next_uniform();
  /// Uniform in [0, bound). Precondition: bound > 0. The bias is below bound / 2^64.
  std::uint64_t next_below(std::uint64_t bound);
  /// Standard normal by the Box-Muller transform.
  double next_normal();

 private:
  std::uint64_t state_;
  double spare_normal_ = 0;
  bool has_spare_normal_ = false;
};

}  // namespace portolan
