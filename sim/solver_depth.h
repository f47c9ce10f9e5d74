#pragma once

#include "base/result.h"
#include "plan/activity_graph.h"

namespace portolan {

/// SimGrid's solver walks from link to link over the transfers that they share, by recursion: one frame a
/// link. A graph that ties too many links together would overflow the stack, which no one can catch. Errors
/// (kBadInput): the largest group of links tied together by paths does not fit the stack's limit; the message
/// says how many links and what to do.
Result<void> check_solver_depth(const ActivityGraph& graph);

}  // namespace portolan
