#pragma once

#include <algorithm>
#include <cstdint>

#include "exec/host/host_events.h"

namespace portolan {

/// Processor time of the calling thread, ns.
std::int64_t thread_cpu_ns();

/// Times work of the calling thread: wall time, less what other work took of the core meanwhile.
class WorkClock {
 public:
  double seconds() const {
    const std::int64_t wall = host_now_ns() - wall_ns_;
    // Undisturbed, the processor time is a little above the wall time, as it spans both readings.
    return static_cast<double>(std::min(wall, thread_cpu_ns() - cpu_ns_)) * 1e-9;
  }

 private:
  std::int64_t cpu_ns_ = thread_cpu_ns();
  std::int64_t wall_ns_ = host_now_ns();
};

}  // namespace portolan
