#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plan/costed_program.h"
#include "plan/share_changes.h"
#include "plan/unfold.h"
#include "topology/cluster.h"

namespace portolan {

/// How much of an op's duration is the same at any speed of its device: communication that is folded into it.
Seconds fixed_part(const CostedProgram& program, std::int32_t stage, std::int32_t slot, const CostedOp& op);

/// Rates of the graph's links and devices, in the order of time: those of the cluster's slow GPUs from the
/// start, and what `changes` say. A unit that stands for several GPUs goes as fast as the slowest of them, as
/// they wait for each other in every layer. Precondition: fidelity full or explicit.
std::vector<RateChange> rate_changes(const CostedProgram& program, const UnfoldedProgram& unfolded,
                                     const Cluster& cluster, std::span<const ShareChange> changes);

}  // namespace portolan
