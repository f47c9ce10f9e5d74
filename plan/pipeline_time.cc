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
/// warm-up forwards, which come from i one by one: the trip takes a multiple of what one costs i, and what
/// lies between. Few stages differ in the former, so that the longest trips to any later stage are found once
/// for each of these.
class Trips {
 public:
  Trips(const std::vector<StagePass>& stages, std::int32_t num_microbatches)
      : stages_(stages), num_microbatches_(num_microbatches), there_and_back_(stages.size()) {
    for (std::size_t k = 1; k < stages.size(); ++k) {
      there_and_back_[k] =
          there_and_back_[k - 1] + stages[k].forward + stages[k].backward + stages[k - 1].send * 2.0;
    }
  }

  RoundTrips of(std::size_t i) {
    return {longest(stages_[i].forward + send_before(stages_, i), i),
            longest(stages_[i].backward + stages_[i].send, i)};
  }

 private:
  /// Of stage i and all later ones, where each pass of a warm-up costs stage i `pass`.
  Seconds longest(Seconds pass, std::size_t i) {
    const auto known = std::find_if(longest_.begin(), longest_.end(),
                                    [&](const FromStages& trips) { return trips.pass == pass; });
    const FromStages& trips =
        known == longest_.end() ? longest_.emplace_back(FromStages{pass, from_stages(pass)}) : *known;
    return trips.time[i] - there_and_back_[i];
  }

  std::vector<Seconds> from_stages(Seconds pass) const {
    std::vector<Seconds> time(stages_.size());
    Seconds longest;
    for (std::size_t k = stages_.size(); k-- > 0;) {
      const auto behind = static_cast<std::int32_t>(stages_.size() - k) - 1;
      const std::int32_t warm_up = std::min(behind, num_microbatches_ - 1);
      longest = std::max(longest, pass * warm_up + there_and_back_[k] + stages_[k].send);
      time[k] = longest;
    }
    return time;
  }

  struct FromStages {
    Seconds pass;
    std::vector<Seconds> time;  ///< by first stage, from the pipeline's first
  };
  const std::vector<StagePass>& stages_;
  std::int32_t num_microbatches_;
  std::vector<Seconds> there_and_back_;  ///< from the first stage
  std::vector<FromStages> longest_;
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
