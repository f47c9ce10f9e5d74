#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>

#include "base/result.h"
#include "plan/measured_trace.h"

namespace portolan {

struct KinetoTraceOptions {
  /// How many steps a trace has that does not mark them; it is divided by so many.
  std::int64_t steps_without_marks = 1;
};

/// Reads a trace of torch.profiler (docs/compare.md): kernels by kind (kernel_rules.h), group of ranks, and
/// phase of the step. A kernel belongs to the step in which it was launched; a step lasts from its first
/// compute kernel to that of the next, the last until both its host and its device are done. Errors
/// (kBadInput), one line: those of read_kineto_events(), no kernels.
Result<MeasuredTrace> read_kineto_trace(std::istream& stream, const std::string& file,
                                        const KinetoTraceOptions& options);

}  // namespace portolan
