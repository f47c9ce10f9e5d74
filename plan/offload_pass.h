#pragma once

#include <vector>

#include "base/quantity.h"

namespace portolan {

/// A block as passes of a microbatch meet it, its saved activations on the host in between.
struct OffloadedBlock {
  bool is_layer = false;
  Seconds forward;   ///< compute
  Seconds backward;  ///< compute
  Seconds copy;      ///< of what it saves, one way; 0: that stays
};

/// What compute waits for copies in one pass.
struct OffloadWaits {
  Seconds forward;
  Seconds backward;
};

/// In the steady state of passes over `blocks`, as stage_offload.cc orders compute and copies: forwards and
/// backwards in turn, or with `forwards_first` all forwards, then all backwards.
OffloadWaits offload_waits(const std::vector<OffloadedBlock>& blocks, bool forwards_first);

/// A block whose optimizer states pass through the device.
struct StreamedBlock {
  Seconds update;
  Seconds copy;  ///< one way
};

/// How much longer than `before`, the updates and `after` it takes until all is done: states begin to come at
/// 0, updates begin at `before`, and `after` follows the last one.
Seconds streaming_wait(const std::vector<StreamedBlock>& blocks, Seconds before, Seconds after);

}  // namespace portolan
