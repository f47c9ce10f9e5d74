#include "plan/offload_pass.h"

#include <algorithm>

namespace portolan {

namespace {

/// Walks through passes of one stage: compute and the two lanes of copies.
class CopyWalk {
 public:
  explicit CopyWalk(const std::vector<OffloadedBlocks>& blocks) : blocks_(&blocks) {}

  /// Both return how long compute waited.
  Seconds forward() {
    begin_slot();
    for (const OffloadedBlocks& equal : *blocks_) {
      for (std::int32_t i = 0; i < equal.count; ++i) {
        wait_for_copies(equal);
        clock_ += equal.forward;
        if (equal.copy > Seconds(0)) {
          to_host_ = std::max(to_host_, clock_) + equal.copy;
          copies_.add(to_host_);
          layers_.last = to_host_;
        }
      }
    }
    return waited_;
  }

  /// Until all copies are over and what comes back first is there, unless the head is here: then backward
  /// follows at once.
  void rest() {
    if (blocks_->back().is_layer) {
      clock_ = std::max({clock_, to_host_, from_host_}) + blocks_->back().copy;
    }
  }

  Seconds backward() {
    const Seconds slot_before = slot_begin_;
    begin_slot();
    const bool after_its_forward = !blocks_->back().is_layer;
    FromTheLast fetched(*blocks_);
    Seconds there, there_next;  // of the block that is next, and of the one after it
    const auto fetch = [&](Seconds earliest) {
      const OffloadedBlocks* block = fetched.next();
      if (block == nullptr || block->copy <= Seconds(0)) {
        return Seconds(0);
      }
      const Seconds start = std::max(from_host_, earliest);
      from_host_ = (after_its_forward ? std::max(start, to_host_) : start) + block->copy;
      return from_host_;
    };
    there_next = fetch(slot_before);
    FromTheLast computed(*blocks_);
    while (const OffloadedBlocks* block = computed.next()) {
      there = there_next;
      there_next = fetch(clock_);
      wait_for_copies(*block);
      wait_until(there);
      clock_ += block->backward;
    }
    return waited_;
  }

 private:
  /// The last two of a row of ends of copies.
  struct LastTwo {
    Seconds before, last;
    int num = 0;  ///< of them, to 2

    void add(Seconds end) {
      before = last;
      last = end;
      num = std::min(num + 1, 2);
    }
  };

  /// Single blocks in the order of backward.
  class FromTheLast {
   public:
    explicit FromTheLast(const std::vector<OffloadedBlocks>& blocks) : blocks_(blocks), run_(blocks.size()) {}

    const OffloadedBlocks* next() {
      while (left_ == 0) {
        if (run_ == 0) {
          return nullptr;
        }
        left_ = blocks_[--run_].count;
      }
      --left_;
      return &blocks_[run_];
    }

   private:
    const std::vector<OffloadedBlocks>& blocks_;
    std::size_t run_;
    std::int32_t left_ = 0;
  };

  void begin_slot() {
    earlier_ = copies_;
    layers_ = {};
    slot_begin_ = clock_;
    waited_ = Seconds(0);
  }

  void wait_until(Seconds time) {
    if (time > clock_) {
      waited_ += time - clock_;
      clock_ = time;
    }
  }

  /// All copies of layers before but the last one.
  void wait_for_copies(const OffloadedBlocks& block) {
    if (!block.is_layer) {
      return;
    }
    if (layers_.num == 2) {
      wait_until(layers_.before);
    } else if (earlier_.num > 1 - layers_.num) {
      wait_until(layers_.num == 0 ? earlier_.before : earlier_.last);
    }
    layers_.add(Seconds(0));
  }

  const std::vector<OffloadedBlocks>* blocks_;
  Seconds clock_;
  Seconds slot_begin_;
  Seconds waited_;               ///< of compute, in the slot
  Seconds to_host_, from_host_;  ///< when the last copy of each lane is over
  LastTwo copies_;               ///< to the host
  LastTwo layers_;               ///< the same of the slot's layers; 0: none
  LastTwo earlier_;              ///< copies of slots before
};

}  // namespace

OffloadWaits offload_waits(const std::vector<OffloadedBlocks>& blocks) {
  if (blocks.empty()) {
    return {};
  }
  OffloadWaits waits;
  for (const OffloadedBlocks& equal : blocks) {
    waits.copies += equal.copy * equal.count;
  }
  CopyWalk alone(blocks);
  waits.first.forward = alone.forward();
  CopyWalk turns = alone, runs = alone;
  alone.rest();
  waits.first.backward = alone.backward();
  turns.backward();
  waits.in_turn.forward = turns.forward();
  waits.in_turn.backward = turns.backward();
  runs.forward();
  waits.in_runs.forward = runs.forward();
  for (int pass = 0; pass < 3; ++pass) {
    waits.in_runs.backward = runs.backward();
  }
  return waits;
}

Seconds streaming_wait(const std::vector<StreamedBlock>& blocks, Seconds before, Seconds after) {
  std::vector<Seconds> updated, copied;
  Seconds clock = before, from_host, to_host, waited;
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    Seconds start = b < 2 ? Seconds(0) : updated[b - 2];
    start = b > 2 ? std::max(start, copied[b - 3]) : start;
    from_host = std::max(from_host, start) + blocks[b].copy;
    const Seconds ready = b > 1 ? std::max(from_host, copied[b - 2]) : from_host;
    if (ready > clock) {
      waited += ready - clock;
      clock = ready;
    }
    clock += blocks[b].update;
    to_host = std::max(to_host, clock) + blocks[b].copy;
    updated.push_back(clock);
    copied.push_back(to_host);
  }
  return waited + std::max(to_host - clock - after, Seconds(0));
}

}  // namespace portolan
