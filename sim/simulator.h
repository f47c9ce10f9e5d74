#pragma once

#include "base/result.h"
#include "plan/activity_graph.h"

namespace portolan {

/// Runs the graph: an activity starts when all its predecessors have ended, a compute activity then takes its
/// `seconds`, a transfer waits its `latency` and then moves its `bytes` at the rate that max-min fairness
/// gives it among the transfers under way (a path that crosses a link twice uses it twice).
///
/// Rates change when `changes` says so, also of what is under way. Times count from 0 s, the start of the
/// graph. They depend on the graph alone, to the last bit: not on the process, nor on what it simulated
/// before. Events closer than 1.5e-14 of the makespan count as one; how far that and rounding can move a time
/// is in sim/README.md, "Exactness".
///
/// Compute activities do not slow each other: whoever makes the graph keeps them apart on one device.
///
/// Preconditions: called from one thread of the process only, never from within a simulation.
/// Errors: kBadInput when an index is out of range, a number is negative or not finite, a bandwidth is
/// outside 1e-30 to 1e30 B/s, the makespan must exceed 1e15 s, or activities can never start (a cycle, or
/// predecessors that do not exist): the message says how many and names the first. kInfeasible when more
/// links are tied together than the stack allows (see solver_depth.h). kDevice when another thread already
/// owns the process's engine.
Result<ActivityTimes> simulate(const ActivityGraph& graph);

/// True once this process has simulated anything: the engine then exists and a forked child would inherit it.
bool simulation_engine_exists();

}  // namespace portolan
