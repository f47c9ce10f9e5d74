#include "plan/offload_pass.h"

#include <algorithm>

namespace portolan {

namespace {

/// Walks through passes of one stage: compute and the two lanes of copies.
class CopyWalk {
 public:
  explicit CopyWalk(const std::vector<OffloadedBlock>& blocks) : blocks_(blocks) {}

  /// Both return how long compute waited.
  Seconds forward() {
    begin_slot();
    for (const OffloadedBlock& block : blocks_) {
      wait_for_copies(block);
      clock_ += block.forward;
      if (block.copy > Seconds(0)) {
        to_host_ = std::max(to_host_, clock_) + block.copy;
        copies_.push_back(to_host_);
        layers_.back() = to_host_;
      }
    }
    return waited_;
  }

  /// Until all copies are over and what comes back first is there, unless the head is here: then backward
  /// follows at once.
  void rest() {
    if (blocks_.back().is_layer) {
      clock_ = std::max({clock_, to_host_, from_host_}) + blocks_.back().copy;
    }
  }

  Seconds backward() {
    const Seconds slot_before = slot_begin_;
    begin_slot();
    const std::size_t count = blocks_.size();
    const bool after_its_forward = !blocks_.back().is_layer;
    std::vector<Seconds> there(count);
    std::size_t fetched = 0;
    for (std::size_t done = 0; done < count; ++done) {
      for (; fetched <= done + 1 && fetched < count; ++fetched) {
        const OffloadedBlock& block = blocks_[count - 1 - fetched];
        if (block.copy > Seconds(0)) {
          Seconds start = std::max(from_host_, fetched == 0 ? slot_before : clock_);
          start = after_its_forward ? std::max(start, to_host_) : start;
          there[count - 1 - fetched] = from_host_ = start + block.copy;
        }
      }
      const OffloadedBlock& block = blocks_[count - 1 - done];
      wait_for_copies(block);
      wait_until(there[count - 1 - done]);
      clock_ += block.backward;
    }
    return waited_;
  }

 private:
  void begin_slot() {
    earlier_ = copies_.size();
    layers_.clear();
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
  void wait_for_copies(const OffloadedBlock& block) {
    if (!block.is_layer) {
      return;
    }
    const std::size_t layers = layers_.size();
    if (layers >= 2) {
      wait_until(layers_[layers - 2]);
    } else if (earlier_ > 1 - layers) {
      wait_until(copies_[earlier_ - 2 + layers]);
    }
    layers_.emplace_back();
  }

  const std::vector<OffloadedBlock>& blocks_;
  Seconds clock_;
  Seconds slot_begin_;
  Seconds waited_;               ///< of compute, in the slot
  Seconds to_host_, from_host_;  ///< when the last copy of each lane is over
  std::vector<Seconds> copies_;  ///< ends, to the host
  std::vector<Seconds> layers_;  ///< the same of the slot's layers; 0: none
  std::size_t earlier_ = 0;      ///< copies of slots before
};

}  // namespace

OffloadWaits offload_waits(const std::vector<OffloadedBlock>& blocks) {
  if (blocks.empty()) {
    return {};
  }
  OffloadWaits waits;
  for (const OffloadedBlock& block : blocks) {
    waits.copies += block.copy;
  }
  CopyWalk alone(blocks);
  waits.first.forward = alone.forward();
  alone.rest();
  waits.first.backward = alone.backward();
  CopyWalk turns(blocks);
  turns.forward();
  turns.backward();
  waits.in_turn.forward = turns.forward();
  waits.in_turn.backward = turns.backward();
  CopyWalk runs(blocks);
  for (int pass = 0; pass < 3; ++pass) {
    waits.in_runs.forward = runs.forward();
  }
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
