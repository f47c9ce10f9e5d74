#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/quantity.h"
#include "plan/cost.h"
#include "plan/program.h"

namespace portolan {

/// What an op is for the host, which launches it.
struct OpLaunch {
  std::int64_t entries = 0;  ///< in the device's queue
  Seconds device_time;       ///< of kernels; of communication, which goes on beside them, 0
  bool communicates = false;
  bool host_waits = false;  ///< before it, for all that was launched

  bool operator==(const OpLaunch&) const = default;
};

/// By template and op. A communication is two entries of the queue that kernels are in: an event that it
/// waits for, and the wait for it (PyTorch, ProcessGroupNCCL: syncStreams and wait).
using StageLaunches = std::vector<std::vector<OpLaunch>>;
StageLaunches launches_of(const Stage& stage, const KernelCost& cost);

/// How far a host launches ahead of a stage's device. A block that a communication used is used again only
/// once the device is past the communications that were launched before it was freed
/// (docs/decisions/0024-blocks-of-communications.md).
struct RunAhead {
  StageLaunches launches;
  Seconds launch;          ///< of one entry
  std::int64_t depth = 0;  ///< entries of the queue; 0: blocks are used again at once
  Bytes capacity;          ///< beyond which the allocator waits for the device first

  bool operator==(const RunAhead&) const = default;
};

/// A host that launches ahead of its device until the queue is full, by two clocks.
class LaunchQueue {
 public:
  /// `launch`: of one entry.
  LaunchQueue(Seconds launch, std::int64_t depth) : launch_(launch), depth_(depth) {}

  /// Precondition: depth > 0.
  void launch(const OpLaunch& op);
  /// The host waits for all that it launched.
  void wait() { host_ = std::max(host_, device_); }

  Seconds host() const { return host_; }
  /// When the communications that were launched are over.
  Seconds communicated() const { return communicated_; }

 private:
  struct Launched {
    std::int64_t entries = 0;  ///< up to its end
    Seconds over;
  };

  Seconds launch_;
  std::int64_t depth_;
  std::int64_t entries_ = 0;
  Seconds host_, device_, communicated_;
  std::deque<Launched> queued_;
};

}  // namespace portolan
