#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "plan/rematerialization.h"

namespace portolan {

/// What layers recompute at least in so many bytes: each mixes two neighbouring choices of the lower convex
/// hull of its kind's (saved bytes against time), the mixtures that gain most time a byte first.
class RecomputeHull {
 public:
  struct Layer {
    std::size_t kind = 0;
    std::int64_t weight = 1;  ///< of what it saves: so many microbatches
  };
  RecomputeHull(const std::vector<std::vector<LayerChoice>>& kinds, const std::vector<Layer>& layers);

  /// Seconds that the layers from `first` on recompute where they save `bytes` in all, times their weights;
  /// infinity where even the choices that save least are more.
  double least_recompute(std::size_t first, std::int64_t bytes) const;
  /// Seconds that one byte less adds to that; 0 where bytes are left over or too few.
  double seconds_per_byte(std::size_t first, std::int64_t bytes) const;

 private:
  /// Of the layers from one on: what they save and recompute at least of memory, then what further bytes
  /// gain.
  struct Tail {
    std::int64_t bytes = 0;
    double recompute = 0;
    std::vector<double> further_bytes, gained;  ///< summed up, in the order of what gains most a byte
  };
  std::vector<Tail> tails_;  ///< by first layer; the last has none
};

}  // namespace portolan
