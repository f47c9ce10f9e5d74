#pragma once

#include <string>
#include <vector>

#include "topology/cluster.h"

namespace portolan {

/// Every cluster of at most 4 nodes, 4 GPUs and 3 spines with cards that divide the GPUs, in pods of every
/// size; most also without rails, with PCIe links and, of 4 nodes, with groups below core switches. The
/// numbers of a class differ from those of the others, so that a mix-up shows.
std::vector<Hardware> small_hardware();

/// "4 nodes of 2 GPUs and 1 cards, 2 nodes a pod, 3 spines, ...", for a failing test.
std::string describe(const Hardware& hardware);

/// Independent of the cluster's own arithmetic. Precondition: a fabric. Without rails all cards are on one.
std::int64_t rail_of(const Hardware& hardware, DeviceIndex device);
std::int64_t pod_of(const Hardware& hardware, DeviceIndex device);
std::int64_t group_of(const Hardware& hardware, DeviceIndex device);

}  // namespace portolan
