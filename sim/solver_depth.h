#pragma once

#include "base/result.h"
#include "plan/activity_graph.h"

namespace portolan {

/// SimGrid's solver walks from link to link over the transfers that they share, by recursion: one frame a
/// link. A graph that ties too many links together would overflow the stack, which no one can catch. Where
/// the largest group of links tied together by paths does not fit the stack of the process, this raises its
/// limit; the kernel lets the stack grow that far. Errors (kInfeasible): that is not allowed, or not enough;
/// the message says how many links and what to do. Precondition: called from the first thread of the process.
Result<void> make_room_for_solver(const ActivityGraph& graph);

}  // namespace portolan
