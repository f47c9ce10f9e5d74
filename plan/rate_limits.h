#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/quantity.h"

namespace portolan {

/// A link that transfers of several users cross: their rates, each as often as it crosses, come to no more
/// than its bandwidth.
struct RateLimit {
  struct Share {
    std::int32_t user = 0;
    std::int32_t times = 0;  ///< 1 or more

    bool operator==(const Share&) const = default;
  };

  std::int32_t number = 0;  ///< the caller's
  BytesPerSecond bandwidth;
  std::vector<Share> shares;  ///< by ascending user

  bool operator==(const RateLimit&) const = default;
};

/// Without limits that change no user's rate under max-min fair sharing, whichever users are active: those
/// that hold at any rates up to `most`, of each user, and those that follow from another one. Of equal ones
/// the first stays.
std::vector<RateLimit> limits_that_bind(std::vector<RateLimit> limits, std::span<const BytesPerSecond> most);

}  // namespace portolan
