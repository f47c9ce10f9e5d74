#pragma once

#include "plan/activity_graph.h"

namespace portolan::testing {

/// The times of a well-formed graph, by the definition and nothing else: between two events each transfer has
/// the rate that progressive filling gives it. Slow (every event looks at every activity and link), plain,
/// and without SimGrid: what the simulator is checked against. Source of progressive filling: Bertsekas and
/// Gallager, Data Networks, 2nd edition, section 6.5.2.
ActivityTimes max_min_oracle(const ActivityGraph& graph);

}  // namespace portolan::testing
