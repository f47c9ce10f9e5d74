#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "plan/measured_trace.h"

namespace portolan {

/// The events of a profiler's trace that say what a device did and who asked for it, without all others.
/// Times in microseconds of the trace's clock.
struct TraceEvents {
  struct Span {
    double start_us = 0;
    double duration_us = 0;

    double end_us() const { return start_us + duration_us; }
  };
  /// A kernel, copy or fill.
  struct DeviceWork {
    Span span;
    std::int32_t name = 0;               ///< index into names
    std::int32_t communication = kNone;  ///< index into communications
    std::int64_t correlation = kNone;    ///< with a launch
    std::int64_t external_id = kNone;    ///< of the operation that launched it, where its launch is not there
  };
  struct Launch {
    double start_us = 0;
    std::int64_t thread = 0;
  };
  /// A span of a host's thread that tells something of the kernels launched within it.
  struct HostSpan {
    enum class Kind : std::uint8_t {
      kBackwardNode,   ///< autograd evaluates the gradient of an operation
      kForwardOp,      ///< an operation that autograd will go back through
      kOptimizer,      ///< a method of an optimizer
      kCommunication,  ///< what a collective was asked for with
      kOperation,      ///< any other operation; only where operations are asked for
    };
    Span span;
    std::int64_t thread = 0;
    Kind kind = Kind::kForwardOp;
    std::int32_t communication = kNone;
    std::int32_t operation = kNone;  ///< index into operations
    std::int64_t external_id = kNone;
  };
  /// An operation and what it was called with, as far as that was recorded.
  struct Operation {
    std::string name;                             ///< "aten::mm"
    std::vector<std::vector<std::int64_t>> dims;  ///< of each input; empty: no tensor, or a scalar
    std::vector<std::string> types;               ///< "c10::BFloat16"; none: not recorded
    std::vector<std::string> values;              ///< of inputs that are no tensors: "True"

    bool operator==(const Operation&) const = default;
  };
  struct Communication {
    std::string collective;
    TracedGroup group;
    std::int64_t elements_in = 0;  ///< of each rank; 0: not said
    std::int64_t elements_out = 0;
    std::string type;  ///< of elements: "BFloat16"

    bool operator==(const Communication&) const = default;
  };

  static constexpr std::int32_t kNone = -1;
  std::vector<std::string> names;
  std::vector<DeviceWork> work;
  std::map<std::int64_t, Launch> launches;  ///< by correlation
  std::vector<HostSpan> host;
  std::vector<Communication> communications;
  std::vector<Operation> operations;
  std::vector<Span> steps;  ///< "ProfilerStep#12"
  std::optional<std::int32_t> rank;
  std::optional<std::int32_t> num_ranks;
  std::map<std::string, std::vector<std::int32_t>> ranks_of_group;  ///< by the process group's name
  std::optional<Bytes> allocated;
  std::optional<Bytes> reserved;
  std::int64_t num_malformed = 0;
};

struct TraceEventsOptions {
  bool with_operations = false;  ///< what operations were called with, too: many more spans
};

}  // namespace portolan
