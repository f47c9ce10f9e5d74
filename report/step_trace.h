#pragma once

#include <string>
#include <vector>

#include "plan/memory_timeline.h"
#include "plan/program.h"
#include "plan/timeline.h"

namespace portolan {

/// Something that happens to all ranks.
struct TraceMark {
  std::string name;
  Seconds at;
};

/// A step in the Trace Event Format, which Perfetto and chrome://tracing read: a process a rank in
/// `timeline`, a thread a lane, a complete event an op, with `microbatch`, `layer` and `bytes` where it has
/// them; a flow from each send to its receive; of the first rank of each stage a counter of memory (bytes
/// allocated and reserved, from `memory`); an instant for each of `marks`. Times in microseconds, rounded to
/// nanoseconds, so that events of a lane never overlap. `title` and the Program's hash are in otherData. One
/// line an event, ends with a newline.
std::string step_trace(const Program& program, const Timeline& timeline,
                       const std::vector<SlotMemory>& memory, const std::string& title,
                       const std::vector<TraceMark>& marks = {});

}  // namespace portolan
