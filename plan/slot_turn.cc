#include "plan/slot_turn.h"

namespace portolan {

std::vector<SlotTurn> slot_turns(const Stage& stage) {
  std::vector<SlotTurn> turns(stage.order.size());
  std::vector<bool> seen(stage.templates.size(), false);
  const auto note = [&](std::size_t slot, bool SlotTurn::*end) {
    std::vector<bool>::reference was_seen = seen[static_cast<std::size_t>(stage.order[slot].template_index)];
    turns[slot].*end = !was_seen;
    was_seen = true;
  };
  for (std::size_t slot = 0; slot < turns.size(); ++slot) {
    note(slot, &SlotTurn::first);
  }
  seen.assign(stage.templates.size(), false);
  for (std::size_t slot = turns.size(); slot-- > 0;) {
    note(slot, &SlotTurn::last);
  }
  return turns;
}

bool runs_in(const Op& op, SlotTurn turn) {
  switch (op.occurrence) {
    case Occurrence::kEvery:
      return true;
    case Occurrence::kFirst:
      return turn.first;
    case Occurrence::kLast:
      return turn.last;
  }
  return true;
}

}  // namespace portolan
