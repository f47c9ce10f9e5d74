#pragma once

#include "base/quantity.h"
#include "base/result.h"
#include "plan/activity_graph.h"

namespace portolan {

/// What a look at a graph tells before it is simulated.
struct GraphBounds {
  Seconds shortest_makespan;  ///< no run at these rates can be shorter, no two events further apart
  double largest_transfer_bytes = 0;

  bool operator==(const GraphBounds&) const = default;
};

/// Checks that the graph can be simulated and bounds its makespan from below: by its longest chain of
/// activities, each as if alone, and by the link that needs longest to carry all its bytes. Where rates
/// change, all links and devices are taken at their slowest: then it bounds what comes between two events
/// alone. Errors: those of `simulate`, kBadInput.
Result<GraphBounds> check_and_bound(const ActivityGraph& graph);

}  // namespace portolan
