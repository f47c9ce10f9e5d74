#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "catalog/measured/kineto_events.h"

namespace portolan {

/// What a host was doing when it launched a kernel.
struct LaunchContext {
  bool is_known = false;  ///< the launch is in the trace
  double time_us = 0;
  bool in_backward = false;   ///< autograd evaluates a gradient
  bool in_recompute = false;  ///< ... and within that runs operations that it will go back through
  bool in_optimizer = false;
  std::int32_t communication = KinetoEvents::kNone;  ///< that of the collective that it is part of
};

/// For each of `events.work`.
std::vector<LaunchContext> launch_contexts(const KinetoEvents& events);

}  // namespace portolan
