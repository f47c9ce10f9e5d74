#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace portolan {

/// work(0) ... work(num_tasks - 1), in task order, computed by `num_workers` forked processes (fewer when
/// there are fewer tasks) that take the next task when they have finished one.
///
/// `work` runs in a child: what it changes in memory is lost, only the returned bytes come back. A child may
/// simulate, also when the parent already has. Children never outlive the call, and die when the parent dies;
/// an interrupt from the terminal ends them, and the call then returns an error if the parent survives it.
///
/// Preconditions: the process has no other threads (a fork copies their locks, but not them).
/// Errors: kBadInput when num_workers < 1 or num_tasks < 0. kDevice when `work` throws or its process ends
/// before it returns: no further task is begun, those begun are finished, and the message names the lowest
/// task that failed. kDevice also when not one process could be forked.
Result<std::vector<std::string>> map_in_workers(int num_workers, int num_tasks,
                                                const std::function<std::string(int task)>& work);

}  // namespace portolan
