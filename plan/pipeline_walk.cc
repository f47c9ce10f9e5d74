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
        period_(std::lcm(group_, kKept)),
        nearest_send_((shape.blocking_sends ? 1U : 2U) + (num_chunks_ > 1 ? 1 : 0)) {
    assert(shape.schedule != ScheduleKind::kGPipe);
    for (std::int32_t s = 0; s < num_stages_; ++s) {
      const std::int32_t behind = num_stages_ - s - 1;
      Stage& stage = stages_[index(s)];
      stage.warm_up = num_chunks_ > 1 ? 2 * behind + (num_chunks_ - 1) * num_stages_ : behind;
      stage.send[kForward] = passes.sends[index(s)];
      stage.send[kBackward] = passes.sends[index(s > 0 ? s - 1 : num_stages_ - 1)];
      stage.slots.fill(kNoSend);
    }
  }

  std::vector<Seconds> run() {
    for (std::int32_t turn = -stages_.front().warm_up; turn < num_passes_; ++turn) {
      skip_repetitions(turn);
      run_forwards(turn);
      run_backwards(turn);
    }
    std::vector<Seconds> ends;
    ends.reserve(stages_.size());
    for (std::int32_t s = 0; s < num_stages_; ++s) {
      for (std::int32_t left = splits_backward_ ? std::min(s, num_passes_) : 0; left > 0; --left) {
        run_weights(s);
      }
      const bool ends_with_send = s > 0 && !splits_backward_;
      const Seconds clock = stages_[index(s)].times.clock;
      ends.push_back(skipped_ + (ends_with_send
                                     ? std::max(clock, arrival(s, place(kBackward, num_passes_ - 1)))
                                     : clock));
    }
    return ends;
  }

 private:
  enum Way : std::uint8_t { kForward, kBackward };
  static constexpr std::int32_t kKept = 4;  ///< passes back that a send is waited for, and one more
  static constexpr double kUnknown = -1;
  static constexpr std::uint8_t kNoSend = 2 * kKept;

  struct Message {
    double sent = kUnknown;
    double there = kUnknown;
  };
  /// All that what comes later depends on.
  struct Times {
    Seconds clock;
    std::array<Seconds, 2> wires;             ///< when the last message of each way was there
    std::array<Message, 2 * kKept> messages;  ///< by place()
  };
  struct Stage {
    std::int32_t warm_up = 0;
    std::array<std::int32_t, 2> within_group{};  ///< of the next pass each way
    std::uint32_t num_slots = 0;
    std::array<std::uint8_t, kKept> slots{};  ///< the place of the message that was sent
    std::array<Seconds, 2> send;
    Times times;
  };

  static std::size_t index(std::int32_t i) { return static_cast<std::size_t>(i); }
  /// Where the message of a pass is kept.
  static std::uint8_t place(Way way, std::int32_t number) {
    return static_cast<std::uint8_t>(way * kKept +
                                     static_cast<std::int32_t>(static_cast<std::uint32_t>(number) % kKept));
  }

  std::int32_t neighbour(std::int32_t s, Way way) const {
    return way == kForward ? (s + 1 < num_stages_ ? s + 1 : 0) : (s > 0 ? s - 1 : num_stages_ - 1);
  }

  /// A stage's forward is number warm_up + turn + s: the same in all of them, or with several chunks one less
  /// than in the stage before.
  void run_forwards(std::int32_t turn) {
    const std::int32_t first = stages_.front().warm_up + turn;
    const std::int32_t step = num_chunks_ > 1 ? 1 : 0;
    const std::int32_t begin = step * std::max(first - num_passes_ + 1, 0);
    const std::int32_t end = step > 0 ? std::min(num_stages_, first + 1) : num_stages_;
    if (first - step * begin < num_passes_) {
      for (std::int32_t s = begin; s < end; ++s) {
        run_pass<kForward>(s, first - step * s);
      }
    }
  }

  void run_backwards(std::int32_t turn) {
    const std::int32_t end = std::min(num_stages_, num_passes_ - turn);
    for (std::int32_t s = std::max(-turn, 0); s < end; ++s) {
      run_pass<kBackward>(s, turn + s);
      if (splits_backward_ && turn >= 0) {
        run_weights(s);
      }
    }
  }

  /// When the message of stage `s` is there; the receiver has done what comes before its receive.
  Seconds arrival(std::int32_t s, std::uint8_t place) {
    Stage& sender = stages_[index(s)];
    Message& message = sender.times.messages[place];
    if (message.there == kUnknown) {
      const Way way = place < kKept ? kForward : kBackward;
      const Seconds posted = stages_[index(neighbour(s, way))].times.clock;
      Seconds& wire = sender.times.wires[way];
      wire = std::max({wire, Seconds(message.sent), posted}) + sender.send[way];
      message.there = wire.value;
    }
    return Seconds(message.there);
  }

  template <Way way>
  void run_pass(std::int32_t s, std::int32_t number) {
    Stage& stage = stages_[index(s)];
    std::int32_t chunks_before = 0;
    if (num_chunks_ > 1) {
      std::int32_t& within = stage.within_group[way];
      chunks_before = within / num_stages_;
      within = within + 1 == group_ ? 0 : within + 1;
    }
    const bool first_stage = s == (way == kForward ? 0 : num_stages_ - 1);
    const bool last_stage = s == (way == kForward ? num_stages_ - 1 : 0);
    Seconds start = after_sends(s);
    if (!first_stage || chunks_before > 0) {
      const std::int32_t sender = neighbour(s, way == kForward ? kBackward : kForward);
      start = std::max(start, arrival(sender, place(way, first_stage ? number - num_stages_ : number)));
    }
    const std::int32_t chunk = way == kForward ? chunks_before : num_chunks_ - 1 - chunks_before;
    const ChunkPass& pass = chunks_[index(chunk * num_stages_ + s)];
    const bool first = number < group_ && number % num_stages_ == 0;
    const Seconds time = way == kForward ? pass.forward + (first ? Seconds(0) : pass.further_forward)
                                         : pass.backward + (first ? Seconds(0) : pass.further_backward);
    stage.times.clock = start + time;
    const std::uint8_t sent = place(way, number);
    stage.times.messages[sent] = {stage.times.clock.value, kUnknown};
    const bool sends = !last_stage || chunks_before + 1 < num_chunks_;
    add_slot(stage, sends ? sent : kNoSend);
  }

  void run_weights(std::int32_t s) {
    Stage& stage = stages_[index(s)];
    stage.times.clock += chunks_[index(s)].weight;
    add_slot(stage, kNoSend);
  }

  static void add_slot(Stage& stage, std::uint8_t sent) {
    stage.slots[stage.num_slots % kKept] = sent;
    ++stage.num_slots;
  }

  Seconds after_sends(std::int32_t s) {
    const Stage& stage = stages_[index(s)];
    Seconds start = stage.times.clock;
    const auto wait = [&](std::uint32_t back) {
      const std::uint8_t sent = stage.slots[(stage.num_slots - back) % kKept];
      start = sent == kNoSend ? start : std::max(start, arrival(s, sent));
    };
    wait(nearest_send_);
    if (splits_backward_) {
      wait(nearest_send_ + 1);
    }
    return start;
  }

  /// Where all times are later than those some groups before by the same, they will go on to be, until
  /// forwards run out.
  void skip_repetitions(std::int32_t turn) {
    if (turn < group_ || turn % period_ != 0) {  // from the second microbatch of each chunk on
      return;
    }
    const std::int32_t periods = (num_passes_ - 1 - stages_.front().warm_up - turn) / period_;
    if (periods < 1) {
      return;
    }
    const bool repeats = before_.size() == stages_.size() && repeats_itself();
    if (repeats) {
      const Seconds later = stages_.front().times.clock - before_.front().clock;
      skipped_ += later * periods;
      num_passes_ -= periods * period_;
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
      }
      for (std::size_t i = 0; i < now.messages.size(); ++i) {
        const Message& message = now.messages[i];
        const Message& earlier = before.messages[i];
        if (!is_later(message.sent, earlier.sent) || !is_later(message.there, earlier.there)) {
          return false;
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
  std::int32_t period_;      ///< likewise, with messages kept in the same places
  std::uint32_t nearest_send_;
  std::vector<Times> before_;
  Seconds skipped_;
};

}  // namespace

std::vector<Seconds> pipeline_walk(const PipelinePasses& passes, const PipelineShape& shape) {
  return PipelineWalk(passes, shape).run();
}

}  // namespace portolan
