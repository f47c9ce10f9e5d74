#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "topology/cluster.h"

namespace portolan {

/// Every third small cluster, with steps that cost something. Numbers of a class differ from those of others.
std::vector<Hardware> small_hardware_with_steps();

/// Groups of at least two: all devices, one rail, neighbours, every second, and some at random, for which
/// nodes hold unequal numbers of members.
std::vector<std::vector<DeviceIndex>> small_groups(const Hardware& hardware);

/// "4 nodes of ...: members 0 1 5".
std::string describe(const Hardware& hardware, const std::vector<DeviceIndex>& members);

}  // namespace portolan
