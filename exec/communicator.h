#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/quantity.h"
#include "base/result.h"
#include "exec/device.h"

namespace portolan {

/// A piece of a rank's memory that a communication reads or writes.
struct MemorySpan {
  std::byte* data = nullptr;
  Bytes size;
};

/// A send and the receive that it pairs with, or a group that reduces together: made before the first step.
using TransferIndex = std::int32_t;

/// One rank's communication with the others of its run. Every call enqueues in `lane` and marks `event`,
/// which happens when the rank's own memory is free again (send) or holds the result (receive, all-reduce).
/// The list of spans, and the memory, must stay as they are until then; after an error, until every rank has
/// ended.
///
/// Failure is part of the contract: when a peer fails, or does not come within the time-out, the call (or a
/// later wait for the event) returns an error, in every rank of the run, and never blocks for ever.
class Communicator {
 public:
  virtual ~Communicator() = default;

  /// Posts memory for the peer; does not wait for it.
  virtual Result<void> send(LaneId lane, EventIndex event, TransferIndex transfer,
                            std::span<const MemorySpan> memory) = 0;
  /// Fills memory from what the peer posts.
  virtual Result<void> receive(LaneId lane, EventIndex event, TransferIndex transfer,
                               std::span<const MemorySpan> memory) = 0;
  /// fp32 sums over the group, in place. The order of summation is that of the ranks, whoever arrives first.
  virtual Result<void> all_reduce(LaneId lane, EventIndex event, TransferIndex group,
                                  std::span<const MemorySpan> memory) = 0;
};

}  // namespace portolan
