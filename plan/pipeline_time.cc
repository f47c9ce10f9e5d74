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
    slowest_forward =
        std::max(slowest_forward, stage.forward + stage.further_forward + std::max(before, both_ways));
    slowest_backward =
        std::max(slowest_backward, stage.backward + stage.further_backward + std::max(stage.send, both_ways));
  }
  return fill + (slowest_forward + slowest_backward) * (shape.num_microbatches - 1);
}

/// How long a stage waits between a forward and its backward.
struct RoundTrips {
  Seconds first;  ///< of the first microbatch, while the stage and those after it warm up
  Seconds last;   ///< of the last microbatch, while they drain
};

/// Round trips of every stage to those after it. A stage k behind i begins to turn round only after its own
/// warm-up forwards, which come from i one by one. Among equal neighbours a trip's time is linear in k, so
/// that only where stages change can it be longest: a pipeline of many stages has few such places.
class Trips {
 public:
  Trips(const std::vector<StagePass>& stages, std::int32_t num_microbatches)
      : stages_(stages), num_microbatches_(num_microbatches), there_and_back_(stages.size()) {
    for (std::size_t k = 1; k < stages.size(); ++k) {
      there_and_back_[k] =
          there_and_back_[k - 1] + stages[k].forward + stages[k].backward + stages[k - 1].send * 2.0;
      // Further from the end than there are microbatches, all stages warm up alike.
      const bool warm_up_bends = stages.size() - k == static_cast<std::size_t>(num_microbatches);
      if (k + 1 == stages.size() || warm_up_bends || stages[k - 1] != stages[k] ||
          stages[k] != stages[k + 1]) {
        turns_.push_back(k);
      }
    }
  }

  RoundTrips of(std::size_t i) {
    while (next_ < turns_.size() && turns_[next_] <= i) {
      ++next_;  // asked for in ascending order
    }
    RoundTrips trips;
    add(i, i, trips);
    for (std::size_t t = next_; t < turns_.size(); ++t) {
      add(i, turns_[t], trips);
    }
    return trips;
  }

 private:
  void add(std::size_t i, std::size_t k, RoundTrips& trips) const {
    const Seconds forward = stages_[i].forward + send_before(stages_, i);
    const Seconds backward = stages_[i].backward + stages_[i].send;
    const auto behind = static_cast<std::int32_t>(stages_.size() - k) - 1;
    const std::int32_t warm_up = std::min(behind, num_microbatches_ - 1);
    const Seconds on_the_way = there_and_back_[k] - there_and_back_[i] + stages_[k].send;
    trips.first = std::max(trips.first, forward * warm_up + on_the_way);
    trips.last = std::max(trips.last, backward * warm_up + on_the_way);
  }

  const std::vector<StagePass>& stages_;
  std::int32_t num_microbatches_;
  std::vector<Seconds> there_and_back_;  ///< from the first stage
  std::vector<std::size_t> turns_;
  std::size_t next_ = 0;
};

Seconds one_f_one_b_time(const std::vector<StagePass>& stages, const PipelineShape& shape) {
  Seconds upstream;  // once through the stages before i, there and back, with the sends to i
  Seconds longest;
  Trips all_trips(stages, shape.num_microbatches);
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const StagePass& stage = stages[i];
    const Seconds before = send_before(stages, i);
    const auto behind = static_cast<std::int32_t>(stages.size() - i) - 1;
    const std::int32_t warm_up = std::min(behind, shape.num_microbatches - 1);
    const std::int32_t steady = shape.num_microbatches - 1 - warm_up;
    const RoundTrips trips = all_trips.of(i);
    const Seconds forwards = (stage.forward + before) * warm_up;
    const Seconds backwards = (stage.backward + stage.send) * warm_up;
    const Seconds waits =
        steady > 0 ? trips.first + trips.last : std::max(trips.first + backwards, forwards + trips.last);
    const Seconds pair =
        stage.forward + stage.backward + before + stage.send + stage.further_forward + stage.further_backward;
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
    const Seconds pass = stage.forward + stage.backward + stage.weight + (before + stage.send) * v +
                         stage.further_forward + stage.further_backward;
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
