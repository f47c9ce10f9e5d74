#pragma once

#include <vector>

#include "plan/pipeline_time.h"

namespace portolan {

/// When each stage is done with its last pass and what it sends, by a walk through the passes of all stages
/// in the order of schedule.h. A message takes its time once it is sent and its receive is posted, which is
/// when the compute before the receive is done; those of one sender in one direction follow one another.
/// Compute waits for the sends of some passes back (StageLowering::wait_for_sends). Exact for passes and
/// sends that meet nothing else; what repeats itself between filling and draining is walked through once.
/// Preconditions: those of pipeline_ends(); the schedule is not GPipe.
std::vector<Seconds> pipeline_walk(const PipelinePasses& passes, const PipelineShape& shape);

}  // namespace portolan
