#include "plan/pipeline_walk.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <numeric>
#include <utility>

namespace portolan {

namespace {

/// With pairs of a forward and a backward numbered from the first backward of a stage, stage s at turn t is
/// at pair t + s: then what a pass needs was made a turn before, or by a stage before it in this one.
class PipelineWalk {
 public:
  PipelineWalk(const PipelinePasses& passes, const PipelineShape& shape)
      : chunks_(passes.chunks),
        stages_(passes.sends.size()),
        num_stages_(static_cast<std::int32_t>(passes.sends.size())),
        num_chunks_(shape.num_chunks),
        splits_backward_(shape.schedule == ScheduleKind::kZeroBubbleH1),
        num_passes_(shape.num_microbatches * num_chunks_),
        group_(num_chunks_ > 1 ? num_stages_ * num_chunks_ : 1),
        nearest_send_((shape.blocking_sends ? 1 : 2) + (num_chunks_ > 1 ? 1 : 0)) {
    assert(shape.schedule != ScheduleKind::kGPipe);
    for (std::int32_t s = 0; s < num_stages_; ++s) {
      const std::int32_t behind = num_stages_ - s - 1;
      Stage& stage = stages_[index(s)];
      stage.warm_up = num_chunks_ > 1 ? 2 * behind + (num_chunks_ - 1) * num_stages_ : behind;
      stage.send[kForward] = passes.sends[index(s)];
      stage.send[kBackward] = passes.sends[index(s > 0 ? s - 1 : num_stages_ - 1)];
    }
  }

  std::vector<Seconds> run() {
    for (std::int32_t turn = -stages_.front().warm_up; turn < num_passes_; ++turn) {
      skip_repetitions(turn);
      for (std::int32_t s = 0; s < num_stages_; ++s) {
        const std::int32_t number = stages_[index(s)].warm_up + turn + s;
        if (number >= 0 && number < num_passes_) {
          run_pass(s, kForward, number);
        }
      }
      for (std::int32_t s = 0; s < num_stages_; ++s) {
        const std::int32_t number = turn + s;
        if (number >= 0 && number < num_passes_) {
          run_pass(s, kBackward, number);
          if (splits_backward_ && number >= s) {
            run_weights(s);
          }
        }
      }
    }
    std::vector<Seconds> ends;
    ends.reserve(stages_.size());
    for (std::int32_t s = 0; s < num_stages_; ++s) {
      for (std::int32_t left = splits_backward_ ? std::min(s, num_passes_) : 0; left > 0; --left) {
        run_weights(s);
      }
      const bool ends_with_send = s > 0 && !splits_backward_;
      const Seconds clock = stages_[index(s)].times.clock;
      ends.push_back(skipped_ +
                     (ends_with_send ? std::max(clock, arrival(s, kBackward, num_passes_ - 1)) : clock));
    }
    return ends;
  }

 private:
  enum Way : std::uint8_t { kForward, kBackward };
  static constexpr std::int32_t kKept = 4;  ///< passes back that a send is waited for, and one more
  static constexpr double kUnknown = -1;
  static constexpr std::int32_t kNoSend = -1;

  struct Message {
    double sent = kUnknown;
    double there = kUnknown;
  };
  /// All that what comes later depends on.
  struct Times {
    Seconds clock;
    std::array<Seconds, 2> wires;  ///< when the last message of each way was there
    std::array<std::array<Message, kKept>, 2> messages;
  };
  struct Stage {
    std::int32_t warm_up = 0;
    std::array<Seconds, 2> send;
    Times times;
    std::int32_t num_slots = 0;
    std::array<std::pair<Way, std::int32_t>, kKept> slots;  ///< the number of the pass whose result was sent
  };

  static std::size_t index(std::int32_t i) { return static_cast<std::size_t>(i); }

  std::int32_t neighbour(std::int32_t s, Way way) const {
    return way == kForward ? (s + 1 < num_stages_ ? s + 1 : 0) : (s > 0 ? s - 1 : num_stages_ - 1);
  }

  /// When the message of stage `s` is there; the receiver has done what comes before its receive.
  Seconds arrival(std::int32_t s, Way way, std::int32_t number) {
    Stage& sender = stages_[index(s)];
    Message& message = sender.times.messages[way][index(number % kKept)];
    if (message.there == kUnknown) {
      const Seconds posted = stages_[index(neighbour(s, way))].times.clock;
      Seconds& wire = sender.times.wires[way];
      wire = std::max({wire, Seconds(message.sent), posted}) + sender.send[way];
      message.there = wire.value;
    }
    return Seconds(message.there);
  }

  void run_pass(std::int32_t s, Way way, std::int32_t number) {
    Stage& stage = stages_[index(s)];
    const std::int32_t chunks_before = num_chunks_ > 1 ? number % group_ / num_stages_ : 0;
    const bool first_stage = s == (way == kForward ? 0 : num_stages_ - 1);
    const bool last_stage = s == (way == kForward ? num_stages_ - 1 : 0);
    Seconds start = after_sends(s);
    if (!first_stage || chunks_before > 0) {
      const std::int32_t sender = neighbour(s, way == kForward ? kBackward : kForward);
      start = std::max(start, arrival(sender, way, first_stage ? number - num_stages_ : number));
    }
    const std::int32_t chunk = way == kForward ? chunks_before : num_chunks_ - 1 - chunks_before;
    const ChunkPass& pass = chunks_[index(chunk * num_stages_ + s)];
    const bool first = number < group_ && number % num_stages_ == 0;
    const Seconds time = way == kForward ? pass.forward + (first ? Seconds(0) : pass.further_forward)
                                         : pass.backward + (first ? Seconds(0) : pass.further_backward);
    stage.times.clock = start + time;
    stage.times.messages[way][index(number % kKept)] = {stage.times.clock.value, kUnknown};
    const bool sends = !last_stage || chunks_before + 1 < num_chunks_;
    add_slot(stage, way, sends ? number : kNoSend);
  }

  void run_weights(std::int32_t s) {
    Stage& stage = stages_[index(s)];
    stage.times.clock += chunks_[index(s)].weight;
    add_slot(stage, kBackward, kNoSend);
  }

  static void add_slot(Stage& stage, Way way, std::int32_t number) {
    stage.slots[index(stage.num_slots % kKept)] = {way, number};
    ++stage.num_slots;
  }

  Seconds after_sends(std::int32_t s) {
    Stage& stage = stages_[index(s)];
    Seconds start = stage.times.clock;
    for (std::int32_t back = nearest_send_; back <= nearest_send_ + (splits_backward_ ? 1 : 0); ++back) {
      if (back <= stage.num_slots) {
        const auto [way, number] = stage.slots[index((stage.num_slots - back) % kKept)];
        start = number == kNoSend ? start : std::max(start, arrival(s, way, number));
      }
    }
    return start;
  }

  /// Where all times are later than those some groups before by the same, they will go on to be, until
  /// forwards run out.
  void skip_repetitions(std::int32_t turn) {
    const std::int32_t period = std::lcm(group_, kKept);
    if (turn < group_ || turn % period != 0) {  // from the second microbatch of each chunk on
      return;
    }
    const std::int32_t periods = (num_passes_ - 1 - stages_.front().warm_up - turn) / period;
    if (periods < 1) {
      return;
    }
    const bool repeats = before_.size() == stages_.size() && repeats_itself();
    if (repeats) {
      const Seconds later = stages_.front().times.clock - before_.front().clock;
      skipped_ += later * periods;
      num_passes_ -= periods * period;
      return;
    }
    before_.clear();
    for (const Stage& stage : stages_) {
      before_.push_back(stage.times);
    }
  }

  bool repeats_itself() const {
    const double later = stages_.front().times.clock.value - before_.front().clock.value;
    const double rounding = 1e-13 * stages_.front().times.clock.value;
    const auto is_later = [&](double now, double before) {
      return now == kUnknown || before == kUnknown ? now == before
                                                   : std::abs(now - before - later) <= rounding;
    };
    for (std::size_t s = 0; s < stages_.size(); ++s) {
      const Times& now = stages_[s].times;
      const Times& before = before_[s];
      if (!is_later(now.clock.value, before.clock.value)) {
        return false;
      }
      for (const Way way : {kForward, kBackward}) {
        // Nothing was sent from where nothing is sent.
        if (now.wires[way] > Seconds(0) && !is_later(now.wires[way].value, before.wires[way].value)) {
          return false;
        }
        for (std::size_t i = 0; i < kKept; ++i) {
          const Message& message = now.messages[way][i];
          const Message& earlier = before.messages[way][i];
          if (!is_later(message.sent, earlier.sent) || !is_later(message.there, earlier.there)) {
            return false;
          }
        }
      }
    }
    return true;
  }

  const std::vector<ChunkPass>& chunks_;
  std::vector<Stage> stages_;
  std::int32_t num_stages_;
  std::int32_t num_chunks_;
  bool splits_backward_;
  std::int32_t num_passes_;  ///< of each stage in one direction, without those that are skipped
  std::int32_t group_;       ///< passes from a microbatch to the next that meets all alike
  std::int32_t nearest_send_;
  std::vector<Times> before_;
  Seconds skipped_;
};

}  // namespace

std::vector<Seconds> pipeline_walk(const PipelinePasses& passes, const PipelineShape& shape) {
  return PipelineWalk(passes, shape).run();
}

}  // namespace portolan
