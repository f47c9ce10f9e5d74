#pragma once

#include <cstdint>

#include "plan/group_flows.h"
#include "plan/op_flows.h"
#include "plan/program.h"
#include "topology/cluster.h"

namespace portolan {

/// What all groups of the stage send that do `op`, by a look at each group that tells of others (ToldGroups).
OpFlows find_flows(const GroupFlows& groups, const Cluster& cluster, const Op& op, std::int32_t stage);

}  // namespace portolan
