#pragma once

#include <cstdint>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "plan/program.h"

namespace portolan {

/// Where a rank's buffers lie in its arena. Steps repeat, so one set of addresses serves them all.
struct ArenaPlan {
  static constexpr std::int64_t kAlignment = 64;
  static constexpr std::int64_t kNone = -1;

  Bytes size;  ///< highest address
  Bytes live;  ///< peak of the declared bytes of live buffers: what memory prediction must equal
  std::int32_t num_microbatches = 1;
  std::vector<std::int64_t>
      offsets;  ///< (buffer, microbatch); persistent buffers: the same for all; kNone: never live

  std::int64_t offset(std::int32_t buffer, std::int32_t microbatch) const {
    return offsets[static_cast<std::size_t>(buffer) * static_cast<std::size_t>(num_microbatches) +
                   static_cast<std::size_t>(microbatch)];
  }
};

/// Places the buffers of one rank of `stage`: walks the order list with the rule of plan/memory.h, notes when
/// each buffer lives, then places them by falling size, each at the lowest address free for its whole life
/// (the "greedy by size" of Pisarchyk and Lee 2020, arXiv 2001.03288), which leaves few gaps as all lives are
/// known.
ArenaPlan plan_arena(const Stage& stage, std::int32_t num_microbatches);

}  // namespace portolan
