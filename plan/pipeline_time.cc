#include "plan/pipeline_time.h"

#include <algorithm>
#include <cassert>

namespace portolan {

namespace {

Seconds send_before(const std::vector<StagePass>& stages, std::size_t i) {
  return i > 0 ? stages[i - 1].send : Seconds(0);
}

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

/// How long a stage waits between a forward and its backward.
struct RoundTrips {
  Seconds first;  ///< of the first microbatch, while the stage and those after it warm up
  Seconds last;   ///< of the last microbatch, while they drain
};

/// A stage k behind i begins to turn round only after its own warm-up forwards, which come from i one by one.
RoundTrips round_trips(const std::vector<StagePass>& stages, std::size_t i, std::int32_t num_microbatches) {
  const Seconds forward = stages[i].forward + send_before(stages, i);
  const Seconds backward = stages[i].backward + stages[i].send;
  RoundTrips trips;
  Seconds there_and_back;
  for (std::size_t k = i; k < stages.size(); ++k) {
    if (k > i) {
      there_and_back += stages[k].forward + stages[k].backward + stages[k - 1].send * 2.0;
    }
    const auto behind = static_cast<std::int32_t>(stages.size() - k) - 1;
    const std::int32_t warm_up = std::min(behind, num_microbatches - 1);
    trips.first = std::max(trips.first, forward * warm_up + there_and_back + stages[k].send);
    trips.last = std::max(trips.last, backward * warm_up + there_and_back + stages[k].send);
  }
  return trips;
}

Seconds one_f_one_b_time(const std::vector<StagePass>& stages, const PipelineShape& shape) {
  Seconds upstream;  // once through the stages before i, there and back, with the sends to i
  Seconds longest;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const StagePass& stage = stages[i];
    const Seconds before = send_before(stages, i);
    const auto behind = static_cast<std::int32_t>(stages.size() - i) - 1;
    const std::int32_t warm_up = std::min(behind, shape.num_microbatches - 1);
    const std::int32_t steady = shape.num_microbatches - 1 - warm_up;
    const RoundTrips trips = round_trips(stages, i, shape.num_microbatches);
    const Seconds forwards = (stage.forward + before) * warm_up;
    const Seconds backwards = (stage.backward + stage.send) * warm_up;
    const Seconds waits =
        steady > 0 ? trips.first + trips.last : std::max(trips.first + backwards, forwards + trips.last);
    const Seconds pair = stage.forward + stage.backward + before + stage.send;
    longest = std::max(longest, upstream + stage.forward + stage.backward + waits + pair * steady);
    upstream += stage.forward + stage.backward + stage.send * 2.0;
  }
  return longest;
}

/// The busiest stage, and what each other one adds to it while the pipeline fills and drains.
Seconds busiest_stage_time(const std::vector<StagePass>& stages, const PipelineShape& shape) {
  const double v = shape.num_chunks;
  const auto num_stages = static_cast<std::int32_t>(stages.size());
  // With fewer microbatches than stages there are weight gradients for a part of the bubble only.
  const double filled =
      num_stages > 1 ? (std::min(shape.num_microbatches, num_stages) - 1.0) / (num_stages - 1.0) : 0;
  const auto bubble = [&](const StagePass& stage) {
    const Seconds pass = stage.forward + stage.backward;
    return shape.schedule == ScheduleKind::kZeroBubbleH1 ? std::max(pass - stage.weight * filled, Seconds(0))
                                                         : pass * (1 / v);
  };
  Seconds bubbles, sends;
  for (const StagePass& stage : stages) {
    bubbles += bubble(stage);
    sends += &stage == &stages.back() ? Seconds(0) : stage.send * 2.0;
  }
  Seconds longest;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const StagePass& stage = stages[i];
    const Seconds before = i > 0 ? stages[i - 1].send : stages.back().send * (v - 1) * (1 / v);
    const Seconds pass = stage.forward + stage.backward + stage.weight + (before + stage.send) * v;
    longest = std::max(longest, stage.forward + stage.backward + stage.weight +
                                    pass * (shape.num_microbatches - 1) + bubbles - bubble(stage) + sends);
  }
  return longest;
}

}  // namespace

Seconds pipeline_time(const std::vector<StagePass>& stages, const PipelineShape& shape) {
  assert(!stages.empty() && shape.num_microbatches >= 1);
  switch (shape.schedule) {
    case ScheduleKind::kGPipe:
      return gpipe_time(stages, shape);
    case ScheduleKind::kOneFOneB:
      return one_f_one_b_time(stages, shape);
    case ScheduleKind::kInterleaved:
    case ScheduleKind::kZeroBubbleH1:
      return busiest_stage_time(stages, shape);
  }
  return {};
}

}  // namespace portolan
