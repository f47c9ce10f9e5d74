#include "plan/sharded_pass.h"

#include <algorithm>

namespace portolan {

namespace {

/// The part of a block's compute that uses the wire, with `left` to move beside it.
struct WireSpan {
  WireSpan(Seconds compute, const WireTime& wire, Seconds left) {
    const Seconds alone = std::max(compute - wire.lead - wire.tail, Seconds(0));
    // Where transfers are under way all the time, the wire moves so much of them.
    const Seconds most = std::max(alone + wire.slowed - wire.used, Seconds(0));
    moves = std::min(left, most);
    takes = alone + (most > Seconds(0) ? wire.slowed * (moves / most) : Seconds(0));
  }

  Seconds takes;
  Seconds moves;
};

/// Walks through single blocks.
class PassWalk {
 public:
  PassWalk(std::vector<ShardedBlocks> blocks, std::int64_t prefetch)
      : blocks_(std::move(blocks)),
        prefetch_(static_cast<std::size_t>(prefetch)),
        gathered_(blocks_.size()) {}

  Seconds run() {
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      for (; next_ <= i + prefetch_ && next_ < blocks_.size(); ++next_) {
        gathered_[next_] = transfer(blocks_[next_].gather);
      }
      wait(gathered_[i]);
      compute(blocks_[i].compute, blocks_[i].wire);
      if (i > 0) {
        accumulate(i - 1);
      }
      reduced_ = transfer(blocks_[i].reduce);
    }
    accumulate(blocks_.size() - 1);
    return clock_;
  }

 private:
  /// What the wire must have moved for a transfer to be over that starts now; 0 where there is nothing to
  /// move.
  Seconds transfer(Seconds time) {
    asked_ += time;
    return time.value == 0 ? Seconds(0) : asked_;
  }
  void wait(Seconds moved) {
    if (moved > moved_) {
      clock_ += moved - moved_;
      moved_ = moved;
    }
  }
  void compute(Seconds time) {
    clock_ += time;
    moved_ = std::min(moved_ + time, asked_);
  }
  void compute(Seconds time, const WireTime& wire) {
    if (wire.used <= Seconds(0)) {
      compute(time);
      return;
    }
    compute(wire.lead);
    const WireSpan span(time, wire, asked_ - moved_);
    clock_ += span.takes;
    moved_ += span.moves;
    compute(wire.tail);
  }
  void accumulate(std::size_t block) {
    if (blocks_[block].reduce.value > 0) {
      wait(reduced_);
      compute(blocks_[block].accumulate);
    }
  }

  std::vector<ShardedBlocks> blocks_;
  std::size_t prefetch_;
  std::vector<Seconds> gathered_;
  std::size_t next_ = 0;
  Seconds clock_;
  // In seconds of the wire's own time.
  Seconds asked_;    ///< of all transfers so far
  Seconds moved_;    ///< of them
  Seconds reduced_;  ///< when the last reduction is over
};

/// What one of many equal blocks takes: what it computes or what it moves, the longer of both, with what it
/// waits for the wire.
Seconds steady_time(const ShardedBlocks& block) {
  const WireTime& wire = block.wire;
  const Seconds moved = block.gather + block.reduce;
  if (wire.used <= Seconds(0)) {
    return std::max(block.compute + block.accumulate, moved);
  }
  const WireSpan span(block.compute, wire, std::max(moved - wire.lead, Seconds(0)));
  return std::max(wire.lead + span.takes + wire.tail + block.accumulate, moved + wire.used);
}

}  // namespace

Seconds sharded_pass_time(const std::vector<ShardedBlocks>& blocks, std::int64_t prefetch) {
  const auto enough = static_cast<std::int32_t>(std::min<std::int64_t>(2 * prefetch + 4, 64));
  std::vector<ShardedBlocks> few;
  Seconds further;
  for (const ShardedBlocks& equal : blocks) {
    few.insert(few.end(), static_cast<std::size_t>(std::min(equal.count, enough)), equal);
    if (equal.count > enough) {
      further += steady_time(equal) * (equal.count - enough);
    }
  }
  return few.empty() ? Seconds(0) : PassWalk(std::move(few), prefetch).run() + further;
}

}  // namespace portolan
