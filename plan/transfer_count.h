#pragma once

#include <cstdint>

#include "plan/costed_program.h"
#include "topology/cluster.h"

namespace portolan {

/// Transfers that unfold() makes of `program`, without making them: every flow of every group in every slot.
/// Precondition: fidelity replicas, full or explicit, the rungs whose size grows with ranks.
std::int64_t count_transfers(const CostedProgram& program, const Cluster& cluster);

}  // namespace portolan
