#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>

#include "base/quantity.h"

namespace portolan {

/// Collectives under way beside compute, which take a share of the device while they run
/// (docs/decisions/0020). They run one after another, in the order in which they begin.
class CollectivesBeside {
 public:
  /// Precondition: 0 <= share < 1.
  explicit CollectivesBeside(double share) : share_(share) {}

  /// Of `compute`: how much longer it takes beside collectives that take `collectives`.
  static Seconds slowdown(Seconds compute, Seconds collectives, double share) {
    return std::min(collectives, compute / (1 - share)) * share;
  }

  /// `id` ascends.
  void begin(std::size_t id, Seconds time) { under_way_.push_back({id, time}); }
  /// Compute has waited for that collective: it is over, and those before it.
  void end(std::size_t id) {
    while (!under_way_.empty() && under_way_.front().id <= id) {
      under_way_.pop_front();
    }
  }
  /// Runs kernels that take `compute` with the device to themselves; returns how much longer they take.
  Seconds run(Seconds compute) {
    Seconds left = compute / (1 - share_);
    Seconds beside;
    while (!under_way_.empty() && left > Seconds(0)) {
      Seconds& of_first = under_way_.front().left;
      const Seconds shared = std::min(of_first, left);
      beside += shared;
      left -= shared;
      of_first -= shared;
      if (of_first > Seconds(0)) {
        break;
      }
      under_way_.pop_front();
    }
    return beside * share_;
  }

 private:
  struct Collective {
    std::size_t id = 0;
    Seconds left;
  };

  double share_;
  std::deque<Collective> under_way_;
};

}  // namespace portolan
