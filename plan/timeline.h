#pragma once

#include <cstdint>
#include <vector>

#include "base/quantity.h"

namespace portolan {

/// When one op ran on one rank. `start` excludes waiting for a peer.
struct TimelineEntry {
  std::int64_t op_id = 0;
  std::int32_t rank = 0;
  Seconds start;
  Seconds end;

  bool operator==(const TimelineEntry&) const = default;
};

/// What a rank, or several that the rung lets act as one, does in a step. The rest of the step it waits.
struct RankTime {
  std::int32_t rank = 0;  ///< the first of them
  std::int32_t stage = 0;
  Seconds compute;  ///< with collectives within its kernels that are folded into it

  bool operator==(const RankTime&) const = default;
};

/// One training step as either interpreter saw it, from 0 s.
struct Timeline {
  std::vector<TimelineEntry> entries;  ///< by rank, then in the rank's own order
  Seconds makespan;

  bool operator==(const Timeline&) const = default;
};

}  // namespace portolan
