#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plan/activity_graph.h"
#include "plan/costed_program.h"
#include "plan/estimate.h"
#include "plan/share_changes.h"
#include "plan/timeline.h"

namespace portolan {

/// A costed op of one unit in one slot, and the activities that it begins and ends with.
struct OpInstance {
  std::int32_t slot = 0;
  std::int32_t op = 0;                  ///< in the costed template
  std::int32_t begin = 0;               ///< activity whose start is the op's
  std::int32_t end = 0;                 ///< activity whose end is the op's
  std::int32_t predecessors_begin = 0;  ///< into UnfoldedProgram::predecessors
  std::int32_t predecessors_end = 0;
};

/// A rank, or several that the rung lets act as one.
struct Unit {
  std::int32_t stage = 0;
  std::int32_t rank = 0;              ///< the one whose place it takes
  std::vector<OpInstance> instances;  ///< in the unit's order
};

/// Activities of one step, and how to read their times as times of ops.
struct UnfoldedProgram {
  ActivityGraph graph;
  std::vector<Unit> units;
  std::vector<std::int32_t> predecessors;  ///< instance indices within the unit
};

/// Expands templates and order lists into activities over the cluster's links.
///
/// kFolded: one unit a stage. A communication that all replicas and rails do alike is one transfer, the
/// slowest of them, that takes as long as all do and meets other communications where they do (SharedLinks).
/// kReplicas: one unit a (replica, stage), the transfers of one rail, over links divided by the number of
/// rails that cross them. kFull: the same units, the transfers of every rail. kExplicit: one unit a rank.
/// Precondition: the cluster is that of fold(). At kFull and kExplicit links and devices are as its condition
/// says, and change as `changes` say; else it is healthy and nothing changes. Errors (kBadInput): the order
/// lists deadlock (a receive without its send, collectives that do not meet).
Result<UnfoldedProgram> unfold(const CostedProgram& program, const Cluster& cluster,
                               std::span<const ShareChange> changes = {});

/// Times of all source ops. Below kExplicit these are the ranks that the units stand for.
Timeline expand_timeline(const CostedProgram& program, const UnfoldedProgram& unfolded,
                         const ActivityTimes& times);

/// What each unit computes.
std::vector<RankTime> rank_times(const CostedProgram& program, const UnfoldedProgram& unfolded,
                                 const ActivityTimes& times);

/// Where the time of the unit that finishes last went.
Breakdown breakdown_of(const CostedProgram& program, const UnfoldedProgram& unfolded,
                       const ActivityTimes& times);

}  // namespace portolan
