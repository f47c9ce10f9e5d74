#pragma once

#include <cstdint>
#include <vector>

#include "base/quantity.h"

namespace portolan {

/// Equal neighbouring blocks as passes of a microbatch meet them, their saved activations on the host in
/// between.
struct OffloadedBlocks {
  std::int32_t count = 1;
  bool is_layer = false;
  Seconds forward;   ///< compute of one
  Seconds backward;  ///< compute
  Seconds copy;      ///< of what it saves, one way; 0: that stays
};

/// What compute waits for copies in one pass.
struct PassWaits {
  Seconds forward;
  Seconds backward;
};

/// Over `blocks`, as stage_offload.cc orders compute and copies.
struct OffloadWaits {
  PassWaits first;    ///< of a microbatch alone: other stages run between its forward and its backward
  PassWaits in_turn;  ///< in the steady state of forwards and backwards in turn
  PassWaits in_runs;  ///< in that of many forwards, then as many backwards
  Seconds copies;     ///< of one microbatch, one way
};
OffloadWaits offload_waits(const std::vector<OffloadedBlocks>& blocks);

/// A block whose optimizer states pass through the device.
struct StreamedBlock {
  Seconds update;
  Seconds copy;  ///< one way
};

/// How much longer than `before`, the updates and `after` it takes until all is done: states begin to come at
/// 0, updates begin at `before`, and `after` follows the last one.
Seconds streaming_wait(const std::vector<StreamedBlock>& blocks, Seconds before, Seconds after);

}  // namespace portolan
