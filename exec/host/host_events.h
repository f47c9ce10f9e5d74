#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "exec/communicator.h"
#include "exec/device.h"
#include "exec/run_control.h"

namespace portolan {

/// Nanoseconds on the clock of all ranks.
std::int64_t host_now_ns();

/// A send and its receive, used again each step. The sender writes `memory`, then `posted`; the receiver
/// copies, writes the times, then `received`. Both count their uses, which agree.
struct alignas(64) HostMessage {
  std::atomic<std::int64_t> posted{0};
  std::atomic<std::int64_t> received{0};
  std::span<const MemorySpan> memory;
  OpTimes times;
};

/// The events of one rank's step. On the host everything has happened when the call that enqueued it returns,
/// but for a send: that is over when its receiver has copied.
class HostEvents {
 public:
  explicit HostEvents(const RunControl& control) : control_(control) {}

  void prepare(std::int32_t num_events) { events_.assign(static_cast<std::size_t>(num_events), {}); }
  void begin_step();

  void begin(EventIndex event, std::int64_t start_ns) { at(event).times.start_ns = start_ns; }
  void end(EventIndex event, std::int64_t end_ns) { at(event).times.end_ns = end_ns; }
  /// `event` will happen when `message` has been received `use` times.
  void attach(EventIndex event, const HostMessage& message, std::int64_t use);
  Result<void> wait(EventIndex event);
  Result<void> wait_for_all();
  OpTimes times(EventIndex event) const { return events_[static_cast<std::size_t>(event)].times; }

  /// Time that the rank stood still for its peers.
  void add_wait(std::int64_t wait_ns) { wait_ns_ += wait_ns; }
  std::int64_t wait_ns() const { return wait_ns_; }

 private:
  struct Entry {
    OpTimes times;
    const HostMessage* message = nullptr;
    std::int64_t use = 0;
  };
  Entry& at(EventIndex event) { return events_[static_cast<std::size_t>(event)]; }
  Result<void> wait(Entry& entry);

  const RunControl& control_;
  std::vector<Entry> events_;
  std::int64_t wait_ns_ = 0;
};

}  // namespace portolan
