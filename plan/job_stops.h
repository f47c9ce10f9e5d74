#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "plan/activity_graph.h"
#include "plan/cluster_event.h"
#include "plan/unfold.h"
#include "topology/cluster.h"

namespace portolan {

/// When a job of so many ranks, each on the GPU of its number, stops on each event: on a failed node that
/// holds ranks at once; on a dead link or card when the first payload that crosses it is under way or starts,
/// as it never arrives: NCCL gives up the whole communicator, and goes around the failure only when it is set
/// up anew. None: not within this step, or not fatal. Precondition: check_events() found nothing.
std::vector<std::optional<Seconds>> job_stops(const Cluster& cluster, std::span<const ClusterEvent> events,
                                              std::int64_t num_ranks, const UnfoldedProgram& unfolded,
                                              const ActivityTimes& times);

}  // namespace portolan
