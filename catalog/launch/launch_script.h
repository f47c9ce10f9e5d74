#pragma once

#include <string>
#include <string_view>

#include "catalog/launch/launch_files.h"

namespace portolan {

// What the launch scripts of all frameworks begin with.

/// "#!/bin/bash", a comment that says what the script is and what it is run with, and `set -euo pipefail`.
std::string script_head(const Plan& plan, std::string_view how);
/// What NCCL is told. Cards and interfaces (NCCL_IB_HCA, NCCL_SOCKET_IFNAME) are the cluster's own.
std::string nccl_environment(const Strategy& strategy);
/// GPUS_PER_NODE, NNODES and what torchrun needs to know of a node, as DISTRIBUTED_ARGS.
std::string node_variables(const Plan& plan);
/// Ranks that do not fill nodes evenly: launchers start the same number on each.
void list_uneven_nodes(const Plan& plan, LaunchFields& fields);

}  // namespace portolan
