#include "plan/pipeline_time.h"

#include <algorithm>
#include <cassert>

namespace portolan {

namespace {

Seconds send_before(const std::vector<StagePass>& stages, std::size_t i) { return i > 0 ? stages[i - 1].send : Seconds(0); }

Seconds gpipe_time(const std::vector<StagePass>& stages, const PipelineShape& shape) {
  Seconds fill, slowest_forward, slowest_backward;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const StagePass& stage = stages[i];
    const Seconds before = send_before(stages, i);
    const Seconds both_ways = shape.blocking_sends ? std::max(before, stage.send) : Seconds(0);
    fill += stage.forward + stage.backward + stage.send * 2.0;
    slowest_forward = std::max(slowest_forward, stage.forward + std::max(before, both_ways));
    slowest_backward = std::max(slowest_backward, stage.backward + std::max(stage.send, both_ways));
  }
  return fill + (slowest_forward + slowest_backward) * (shape.num_microbatches - 1);
}

Seconds one_f_one_b_time(const std::vector<StagePass>& stages, const PipelineShape& shape) {
  Seconds upstream;    // once through the stages before i, there and back, with the sends to i
  Seconds downstream;  // once through those after it
  for (const StagePass& stage : stages) {
    downstream += stage.forward + stage.backward + stage.send * 2.0;
  }
  Seconds longest;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const StagePass& stage = stages[i];
    const Seconds before = send_before(stages, i);
    const bool last = i + 1 == stages.size();
    const auto behind = static_cast<std::int32_t>(stages.size() - i) - 1;
    const std::int32_t warm_up = std::min(behind, shape.num_microbatches - 1);
    const std::int32_t steady = shape.num_microbatches - 1 - warm_up;
    downstream -= stage.forward + stage.backward;
    const Seconds forwards = (stage.forward + before) * warm_up;
    const Seconds backwards = (stage.backward + stage.send) * warm_up;
    // From the end of the first forward to its backward, and of the last.
    const Seconds first_wait = last ? Seconds(0) : std::max(downstream, forwards + stage.send);
    const Seconds last_wait = last ? Seconds(0) : std::max(downstream, backwards + stage.send);
    const Seconds waits = steady > 0 ? first_wait + last_wait : std::max(first_wait + backwards, forwards + last_wait);
    const Seconds pair = stage.forward + stage.backward + before + stage.send;
    longest = std::max(longest, upstream + stage.forward + stage.backward + waits + pair * steady);
    upstream += stage.forward + stage.backward + stage.send * 2.0;
    downstream -= stage.send * 2.0;
  }
  return longest;
}

}  // namespace

Seconds pipeline_time(const std::vector<StagePass>& stages, const PipelineShape& shape) {
  assert(!stages.empty() && shape.num_microbatches >= 1);
  return shape.schedule == ScheduleKind::kGPipe ? gpipe_time(stages, shape) : one_f_one_b_time(stages, shape);
}

}  // namespace portolan
