#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "plan/time_kind.h"

namespace portolan {

/// When in a step a kernel was launched, as far as a trace tells.
enum class TracedPhase : std::uint8_t { kForward, kBackward, kRecompute, kOptimizer };

/// Ranks that a collective's kernel joins, as far as a trace tells.
struct TracedGroup {
  std::vector<std::int32_t> ranks;  ///< some of them where the list was shortened; empty: not said
  std::int32_t size = 0;            ///< 0: not said
  std::string description;          ///< the framework's name for it: "TENSOR_MODEL_PARALLEL_GROUP", "mesh_tp"

  bool operator==(const TracedGroup&) const = default;
};

/// Kernels of one kind, group and phase: what they took together in each step.
struct TracedKind {
  TimeKind kind = TimeKind::kUnknown;
  std::int32_t group = kNone;  ///< index into MeasuredTrace::groups
  std::optional<TracedPhase> phase;
  std::vector<Seconds> by_step;

  static constexpr std::int32_t kNone = -1;
  bool operator==(const TracedKind&) const = default;
};

/// A kernel that no rule knows.
struct UnknownKernel {
  std::string name;
  std::int64_t count = 0;  ///< in all steps
  Seconds time;            ///< a step

  bool operator==(const UnknownKernel&) const = default;
};

/// What one rank's device did in some steps, by kind of work.
struct MeasuredTrace {
  std::optional<std::int32_t> rank;
  std::optional<std::int32_t> num_ranks;
  bool has_steps = false;   ///< the trace marks steps; else all of it was divided by their number
  bool has_phases = false;  ///< and what launched its kernels
  std::vector<Seconds> step_times;
  std::vector<Seconds> wait_times;  ///< of a step: nothing is computed
  std::vector<TracedGroup> groups;
  std::vector<TracedKind> kinds;
  std::vector<UnknownKernel> unknown;  ///< the longest first
  std::optional<Bytes> allocated;      ///< the most, where memory was traced
  std::optional<Bytes> reserved;
  std::int64_t num_kernels = 0;    ///< in steps, copies and fills included
  std::int64_t num_outside = 0;    ///< left out: launched outside of the steps
  std::int64_t num_malformed = 0;  ///< events left out: without the fields that they need
};

}  // namespace portolan
