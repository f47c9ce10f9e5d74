#pragma once

#include <cstdint>
#include <istream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/measured_trace.h"

namespace portolan {

/// The events of a Kineto trace that say what a device did and who asked for it, without all others. Times in
/// microseconds of the trace's clock.
struct KinetoEvents {
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
    };
    Span span;
    std::int64_t thread = 0;
    Kind kind = Kind::kForwardOp;
    std::int32_t communication = kNone;
  };
  struct Communication {
    std::string collective;
    TracedGroup group;

    bool operator==(const Communication&) const = default;
  };

  static constexpr std::int32_t kNone = -1;
  std::vector<std::string> names;
  std::vector<DeviceWork> work;
  std::map<std::int64_t, Launch> launches;  ///< by correlation
  std::vector<HostSpan> host;
  std::vector<Communication> communications;
  std::vector<Span> steps;  ///< "ProfilerStep#12"
  std::optional<std::int32_t> rank;
  std::optional<std::int32_t> num_ranks;
  std::map<std::string, std::vector<std::int32_t>> ranks_of_group;  ///< by the process group's name
  std::optional<Bytes> allocated;
  std::optional<Bytes> reserved;
  std::int64_t num_malformed = 0;
};

/// Reads Chrome trace-event JSON as Kineto writes it (pytorch/kineto, libkineto/src/output_json.cpp), event
/// by event. Errors (kBadInput), one line with `file`: no JSON, cut off, no list of events.
Result<KinetoEvents> read_kineto_events(std::istream& stream, const std::string& file);

}  // namespace portolan
