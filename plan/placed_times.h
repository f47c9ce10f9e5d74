#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/cost.h"
#include "plan/measured_trace.h"
#include "plan/program.h"
#include "plan/timeline.h"

namespace portolan {

/// Time a step of one kind of work, along one axis, in one phase of the step.
struct PlacedTime {
  TimeKind kind = TimeKind::kUnknown;
  std::string axis;   ///< of communication: "tensor", "context+data"; empty: not told, or compute
  std::string phase;  ///< "forward", "backward", "recompute", "optimizer"; empty: not told
  Seconds time;

  bool operator==(const PlacedTime&) const = default;
};

/// What `rank` is predicted to spend on each kind, axis and phase in a step: kernels at their cost,
/// communication and copies as long as `timeline` has them. Of communication along a data or a pipeline axis
/// no phase is told: frameworks run it where they like. Precondition: `timeline` has the rank.
std::vector<PlacedTime> predicted_placed_times(const Program& program, const KernelCost& cost,
                                               const Timeline& timeline, std::int32_t rank);

/// The axes along which `ranks` differ, "context+data" where there are several; empty where they are one, or
/// where `size` (0: unknown) is not how many ranks differ along them only.
std::string axes_between(const Program& program, const std::vector<std::int32_t>& ranks, std::int32_t size);

/// The axes of a trace's group: by its ranks, else by its description, else by its size where one axis alone
/// has it. Empty: not told.
std::string axes_of_group(const Program& program, const TracedGroup& group);

std::string_view phase_word(TracedPhase phase);
/// Whether communication along `axis` is compared whatever phase it is in.
bool has_no_phase(std::string_view axis);

}  // namespace portolan
