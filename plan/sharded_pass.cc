#include "plan/sharded_pass.h"

#include <algorithm>

namespace portolan {

namespace {

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
      clock_ = std::max(clock_, gathered_[i]) + blocks_[i].compute;
      if (i > 0) {
        accumulate(i - 1);
      }
      reduced_ = transfer(blocks_[i].reduce);
    }
    accumulate(blocks_.size() - 1);
    return clock_;
  }

 private:
  /// The end of a transfer that compute starts now; no time where there is nothing to move.
  Seconds transfer(Seconds time) {
    if (time.value == 0) {
      return {};
    }
    wire_ = std::max(wire_, clock_) + time;
    return wire_;
  }
  void accumulate(std::size_t block) {
    if (blocks_[block].reduce.value > 0) {
      clock_ = std::max(clock_, reduced_) + blocks_[block].accumulate;
    }
  }

  std::vector<ShardedBlocks> blocks_;
  std::size_t prefetch_;
  std::vector<Seconds> gathered_;
  std::size_t next_ = 0;
  Seconds clock_;
  Seconds wire_;     ///< when the last transfer is over
  Seconds reduced_;  ///< when the last reduction is over
};

}  // namespace

Seconds sharded_pass_time(const std::vector<ShardedBlocks>& blocks, std::int64_t prefetch) {
  const auto enough = static_cast<std::int32_t>(std::min<std::int64_t>(2 * prefetch + 4, 64));
  std::vector<ShardedBlocks> few;
  Seconds further;
  for (const ShardedBlocks& equal : blocks) {
    few.insert(few.end(), static_cast<std::size_t>(std::min(equal.count, enough)), equal);
    // In the steady state a block takes what it computes or what it moves, the longer of both.
    const Seconds one = std::max(equal.compute + equal.accumulate, equal.gather + equal.reduce);
    further += one * std::max(equal.count - enough, 0);
  }
  return few.empty() ? Seconds(0) : PassWalk(std::move(few), prefetch).run() + further;
}

}  // namespace portolan
