#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/quantity.h"

namespace portolan {

/// What a log's line says of a training step; of several steps, where the framework logs their mean.
struct LoggedStep {
  std::int64_t step = 0;
  Seconds time;
  bool is_first = false;        ///< of the log, or after a restart
  bool after_pause = false;     ///< a checkpoint was saved or the model evaluated since the line before
  bool was_skipped = false;     ///< the framework skipped the update (overflow)
  bool is_other_batch = false;  ///< its global batch is not the plan's
  /// Index into MeasuredLog::timers, and how long a step of it took.
  std::vector<std::pair<std::int32_t, Seconds>> timers = {};

  bool operator==(const LoggedStep&) const = default;
};

/// The most that one rank's allocator had in use, and had of the device.
struct LoggedMemory {
  std::int32_t rank = 0;
  std::optional<Bytes> allocated;
  std::optional<Bytes> reserved;

  bool operator==(const LoggedMemory&) const = default;
};

struct LoggedTimer {
  std::string name;            ///< as the framework calls it: "forward-compute"
  bool is_of_slowest = false;  ///< the longest over all ranks; else of the rank that prints

  bool operator==(const LoggedTimer&) const = default;
};

/// A training log, read. `steps` are in its order, warm-up included.
struct MeasuredLog {
  std::string format;  ///< "Megatron-LM"
  std::vector<LoggedStep> steps;
  std::vector<LoggedMemory> memory;  ///< by rank
  std::vector<LoggedTimer> timers;
  std::int64_t num_malformed = 0;  ///< values left out: no numbers, not finite, out of range
  std::int64_t num_cut_off = 0;    ///< values at the end of a log that ends within a line

  bool operator==(const MeasuredLog&) const = default;
};

}  // namespace portolan
