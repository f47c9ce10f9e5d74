#pragma once

#include "base/result.h"
#include "plan/activity_graph.h"

namespace portolan {

/// Runs an activity graph as if nothing contended: a transfer takes its bytes over the narrowest link of its
/// path, and its latency; everything starts when its last predecessor ends. Errors (kBadInput): the graph has
/// a cycle.
Result<ActivityTimes> run_without_contention(const ActivityGraph& graph);

}  // namespace portolan
