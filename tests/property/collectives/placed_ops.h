#pragma once

#include <cstdint>
#include <vector>

#include "plan/program.h"
#include "topology/hardware.h"
#include "topology/placement.h"

namespace portolan {

/// Twelve nodes in pods, groups of pods and rails as small clusters have them.
std::vector<Hardware> twelve_node_machines();

/// Every way to cut the GPUs along three axes, in two orders.
std::vector<Placement> placements(std::int32_t num_gpus);

/// The same, but the data-parallel ranks cut once more.
std::vector<Placement> placements_of_experts(std::int32_t num_gpus);

/// Communications of each kind of group that the placement has.
std::vector<Op> communication_ops(const Placement& placement);

/// Whether a stage has the peer of the op.
bool runs_on(const Placement& placement, const Op& op, std::int32_t stage);

}  // namespace portolan
