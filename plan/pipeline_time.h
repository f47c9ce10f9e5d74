#pragma once

#include <cstdint>
#include <vector>

#include "base/quantity.h"
#include "plan/strategy.h"

namespace portolan {

/// What one microbatch costs a stage, all its chunks together.
struct StagePass {
  Seconds forward;
  Seconds backward;  ///< with a split backward: of input gradients
  Seconds send;      ///< to or from the next stage; on the last: to or from the first, 0 with one chunk
  Seconds weight{};  ///< with a split backward: of weight gradients
  /// Of each pass but the first of its kind beyond that: while copies of those before are under way.
  Seconds further_forward{}, further_backward{};

  bool operator==(const StagePass&) const = default;
};

struct PipelineShape {
  ScheduleKind schedule = ScheduleKind::kOneFOneB;
  std::int32_t num_microbatches = 1;
  bool blocking_sends = false;  ///< compute waits for the send before it
  std::int32_t num_chunks = 1;
};

/// From the first forward to the last backward of all stages, where a receive is posted when the compute
/// before it is done.
///
/// GPipe: a direction fills in sum(pass + send) and then takes m - 1 times its slowest stage; exact.
/// 1F1B: the longest, over stages i, of the fill and drain of the stages before i, its own passes, and the
/// round trips through the stages after it: until the first backward comes back to i and after its last
/// forward. Exact for equal stages with free sends, where it is the (m + p - 1)(f + b) of arXiv 2104.04473,
/// section 2.2. An estimate otherwise, since a path may turn more than once: within 2 % for stages 30 % apart
/// with sends of a fifth of a forward, 6 % for stages that differ tenfold.
/// Interleaved 1F1B and ZB-H1: the stage that is busy longest, its passes and transfers, and the bubble of
/// the others, (f + b) / v or f + b - w each (schedule.h). Exact for equal stages with free sends.
/// Preconditions: `stages` is not empty, num_microbatches >= 1.
Seconds pipeline_time(const std::vector<StagePass>& stages, const PipelineShape& shape);

}  // namespace portolan
