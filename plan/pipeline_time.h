#pragma once

#include <cstdint>
#include <vector>

#include "base/quantity.h"
#include "plan/strategy.h"

namespace portolan {

/// What one microbatch costs a chunk of a stage.
struct ChunkPass {
  Seconds forward;
  Seconds backward;  ///< with a split backward: of input gradients
  Seconds weight{};  ///< with a split backward: of weight gradients
  /// Of each pass but the first of its kind beyond that: while copies of those before are under way.
  Seconds further_forward{}, further_backward{};
  Seconds waits_forward{}, waits_backward{};  ///< of forward and backward, what is no compute
  Seconds unlike{};                           ///< of these waits, what chunks between the ends may differ in
};

struct PipelinePasses {
  std::vector<ChunkPass> chunks;  ///< chunk c of stage s is number c * p + s
  std::vector<Seconds> sends;     ///< by stage: to or from the next; of the last: the first; 0 with one chunk
  bool alike_between_ends = false;  ///< chunks but the first and the last are, if not for waits
};

struct PipelineShape {
  ScheduleKind schedule = ScheduleKind::kOneFOneB;
  std::int32_t num_microbatches = 1;
  bool blocking_sends = false;  ///< compute waits for the send before it
  std::int32_t num_chunks = 1;
};

/// When each stage is done with its last pass at the latest, where a receive is posted when the compute
/// before it is done. Never before the longest chain of passes is over that leads there.
///
/// GPipe: a direction fills in sum(pass + send) and then takes m - 1 times its slowest stage; exact.
///
/// 1F1B: the longest, over stages i, of the fill and drain of the stages before i, its own passes, and the
/// round trips through the stages after it: until the first backward comes back to i and after its last
/// forward. Exact for free sends: for equal stages it is the (m + p - 1)(f + b) of arXiv 2104.04473, section
/// 2.2. With others an estimate: within 2 % for sends of a fifth of a forward.
///
/// ZB-H1: the same with weight gradients. Exact for free sends and stages that are alike between the ends,
/// with no fewer microbatches than stages.
///
/// Interleaved 1F1B: (m v + p - 1)(f + b) of a chunk, and what the end chunks take beyond it: m times that of
/// the last, p times that of the first. Exact for free sends and chunks that are alike between the ends,
/// where the first takes little more and no more than the last.
///
/// Where sends block, stages of the latter two also wait for the first one: what that takes at most is added
/// where it is hardly anything. Where none of this holds, passes are walked through (pipeline_walk.h).
///
/// Preconditions: as many chunks as stages times shape.num_chunks, num_microbatches >= 1; interleaved:
/// num_microbatches is a multiple of the stages.
std::vector<Seconds> pipeline_ends(const PipelinePasses& passes, const PipelineShape& shape);

}  // namespace portolan
