#pragma once

#include <string>

#include "topology/cluster_layout.h"

namespace portolan {

/// What a directed link is called: its ends, "node3.gpu5->nvswitch", "pod1.leaf2->node40.nic2",
/// "group0.spine0->core1". Each of a cluster has another name.
std::string name_of_link(const ClusterLayout& layout, LinkIndex link);

}  // namespace portolan
