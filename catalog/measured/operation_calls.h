#pragma once

#include <cstddef>
#include <vector>

#include "catalog/measured/launch_context.h"
#include "catalog/measured/trace_events.h"
#include "plan/time_kind.h"

namespace portolan {

/// The kernels that one call of an operation launched.
struct OperationCall {
  const TraceEvents::Operation* operation = nullptr;
  bool is_backward = false;       ///< and not run again for it
  std::vector<std::size_t> work;  ///< indices into TraceEvents::work
};

/// What a device did, by who asked for it.
struct SortedWork {
  std::vector<TimeKind> kinds;          ///< of each of TraceEvents::work
  std::vector<LaunchContext> contexts;  ///< likewise
  std::vector<OperationCall> calls;     ///< of the innermost operations whose sizes are known
  std::vector<std::size_t> communication;
  std::vector<std::size_t> without_operation;
};

/// Precondition: `events` outlives the result.
SortedWork sort_work(const TraceEvents& events);

}  // namespace portolan
