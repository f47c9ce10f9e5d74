#pragma once

#include <string>
#include <vector>

#include "study/measured_collective.h"
#include "topology/hardware.h"

namespace portolan {

/// The collectives that can be looked up by their size, for hardware with one node: those measured with each
/// number of ranks that divides the node's (a send, with any). The mean where a size was measured several
/// times. None with several nodes: a point does not say how its ranks lie on them.
std::vector<CollectivePoint> measured_points(const std::vector<MeasuredCollective>& collectives,
                                             const Hardware& hardware);

/// CollectivePoint::collective of a kind; a shift looks up sends.
std::string name_of_points(CollectiveKind kind);

}  // namespace portolan
