#pragma once

#include <vector>

#include "plan/program.h"

namespace portolan {

/// Whether a slot is the first or the last of its template in a stage's order list.
struct SlotTurn {
  bool first = false;
  bool last = false;

  bool operator==(const SlotTurn&) const = default;
};

/// Of each entry of the stage's order list.
std::vector<SlotTurn> slot_turns(const Stage& stage);

/// Whether `op` runs in a slot of that turn.
bool runs_in(const Op& op, SlotTurn turn);

}  // namespace portolan
