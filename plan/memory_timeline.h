#pragma once

#include <cstdint>
#include <vector>

#include "base/quantity.h"
#include "plan/program.h"
#include "plan/scenario.h"
#include "plan/strategy.h"
#include "plan/timeline.h"

namespace portolan {

/// What a rank of a stage holds while it runs a slot of its order list.
struct SlotMemory {
  std::int32_t stage = 0;
  std::int32_t slot = 0;
  Seconds start;    ///< of the slot's first op
  Seconds end;      ///< of its last one; communication beside compute may end later than the next slot begins
  Bytes allocated;  ///< live buffers, where most are within the slot
  /// After the slot: segments of the allocator, context, communicators. The allocator begins the step empty
  /// but for what is persistent, as in the first step of a run, and gives nothing back.
  Bytes reserved;
  Bytes host{};  ///< live buffers on the host, where most are within the slot

  bool operator==(const SlotMemory&) const = default;
};

/// Memory of all stages through one step, by stage and slot, at the times that `timeline` has of the first of
/// the stage's ranks that is in it. A slot without ops takes no time, after the one before it.
std::vector<SlotMemory> memory_timeline(const Scenario& scenario, const Strategy& strategy,
                                        const Program& program, const Timeline& timeline);

}  // namespace portolan
