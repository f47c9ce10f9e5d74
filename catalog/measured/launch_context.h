#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "catalog/measured/trace_events.h"
#include "plan/time_kind.h"

namespace portolan {

/// What a host was doing when it launched a kernel.
struct LaunchContext {
  bool is_known = false;  ///< the launch is in the trace
  double time_us = 0;
  bool in_backward = false;   ///< autograd evaluates a gradient
  bool in_recompute = false;  ///< ... and within that runs operations that it will go back through
  bool in_optimizer = false;
  std::int32_t communication = TraceEvents::kNone;   ///< that of the collective that it is part of
  std::int32_t operation_span = TraceEvents::kNone;  ///< index into host: the innermost that has an operation
};

/// For each of `events.work`.
std::vector<LaunchContext> launch_contexts(const TraceEvents& events);

/// What the collective was asked for with of which `events.work[work]` is part: as the kernel itself says,
/// else as its launch does. Null: neither says.
const TraceEvents::Communication* communication_of(const TraceEvents& events, const LaunchContext& context,
                                                   std::size_t work);

/// What a kernel does, told by its name (`by_name`), or by what was asked for where NCCL's name says less: an
/// all-to-all is sends and receives.
TimeKind kind_of_work(TimeKind by_name, const TraceEvents::Communication* asked);

}  // namespace portolan
