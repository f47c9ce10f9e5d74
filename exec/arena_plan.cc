#include "exec/arena_plan.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "plan/buffer_walk.h"

namespace portolan {

namespace {

/// A buffer of one microbatch and the moments between which it lives, both included.
struct Life {
  std::int32_t buffer = 0;
  std::int32_t microbatch = 0;
  std::int64_t bytes = 0;  ///< rounded up to the alignment
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::int64_t offset = 0;
};

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + ArenaPlan::kAlignment - 1) / ArenaPlan::kAlignment * ArenaPlan::kAlignment;
}

/// Goes through a step and notes lives. Time passes at each kernel and each communication.
class LifeWalk {
 public:
  LifeWalk(const Stage& stage, std::int32_t num_microbatches)
      : stage_(stage),
        num_microbatches_(num_microbatches),
        lifetimes_(buffer_lifetimes(stage)),
        current_(stage.buffers.size() * static_cast<std::size_t>(num_microbatches), ArenaPlan::kNone) {}

  std::vector<Life> run() {
    for (std::size_t i = 0; i < stage_.order.size(); ++i) {
      walk(static_cast<std::int32_t>(i));
    }
    for (Life& life : lives_) {
      life.last = life.last == kOpen ? now_ : life.last;
    }
    return std::move(lives_);
  }

 private:
  static constexpr std::int64_t kOpen = -1;

  struct Place {
    std::int32_t slot = 0;
    std::int32_t op = 0;
  };
  struct Pending {
    std::int64_t life = 0;
    Place communication;
  };

  std::int64_t& current(std::int32_t buffer, std::int32_t microbatch) {
    return current_[static_cast<std::size_t>(buffer) * static_cast<std::size_t>(num_microbatches_) +
                    static_cast<std::size_t>(microbatch)];
  }

  void walk(std::int32_t slot_index) {
    const Slot& slot = stage_.order[static_cast<std::size_t>(slot_index)];
    const auto t = static_cast<std::size_t>(slot.template_index);
    const Template& of_slot = stage_.templates[t];
    for (std::size_t o = 0; o < of_slot.ops.size(); ++o) {
      const bool compute = of_slot.ops[o].kind == OpKind::kCompute;
      if (compute) {
        release_pending(of_slot.ops[o], slot_index);
      }
      const Place place{slot_index, static_cast<std::int32_t>(o)};
      for (const StepBuffers& step : lifetimes_[t][o]) {
        ++now_;
        begin(step.begin, slot.microbatch);
        end(step.end, slot.microbatch, compute ? nullptr : &place);
      }
    }
  }

  void begin(const std::vector<std::int32_t>& buffers, std::int32_t microbatch) {
    for (const std::int32_t buffer : buffers) {
      current(buffer, microbatch) = std::ssize(lives_);
      lives_.push_back({.buffer = buffer,
                        .microbatch = microbatch,
                        .bytes = aligned(stage_.buffers[static_cast<std::size_t>(buffer)].bytes.value),
                        .first = now_,
                        .last = kOpen});
    }
  }

  /// `communication`: the op that used them last; null: compute did.
  void end(const std::vector<std::int32_t>& buffers, std::int32_t microbatch, const Place* communication) {
    for (const std::int32_t buffer : buffers) {
      const std::int64_t life = std::exchange(current(buffer, microbatch), ArenaPlan::kNone);
      if (communication == nullptr) {
        lives_[static_cast<std::size_t>(life)].last = now_;
      } else {
        pending_.push_back({life, *communication});
      }
    }
  }

  /// What communication used last lives until a compute op begins that waits for it.
  void release_pending(const Op& op, std::int32_t slot) {
    std::erase_if(pending_, [&](const Pending& pending) {
      const bool over =
          waits_for_communication(op, slot - pending.communication.slot, pending.communication.op);
      if (over) {
        lives_[static_cast<std::size_t>(pending.life)].last = now_;
      }
      return over;
    });
  }

  const Stage& stage_;
  std::int32_t num_microbatches_;
  std::vector<TemplateLifetimes> lifetimes_;
  std::vector<std::int64_t> current_;  ///< life of (buffer, microbatch) that is under way
  std::vector<Life> lives_;
  std::vector<Pending> pending_;
  std::int64_t now_ = 0;
};

/// Gives each life the lowest offset that no life before it in `order` holds meanwhile. Returns the highest
/// address.
std::int64_t place(std::vector<Life>& lives, const std::vector<std::size_t>& order) {
  std::vector<const Life*> by_offset;
  std::int64_t highest = 0;
  for (const std::size_t index : order) {
    Life& life = lives[index];
    std::int64_t offset = 0;
    for (const Life* other : by_offset) {
      if (other->first > life.last || other->last < life.first) {
        continue;
      }
      if (other->offset - offset >= life.bytes) {
        break;
      }
      offset = std::max(offset, other->offset + other->bytes);
    }
    life.offset = offset;
    highest = std::max(highest, offset + life.bytes);
    const auto after = [](const Life* a, const Life* b) { return a->offset < b->offset; };
    by_offset.insert(std::upper_bound(by_offset.begin(), by_offset.end(), &life, after), &life);
  }
  return highest;
}

/// Peak of the sum of declared bytes, from the lives.
std::int64_t peak_live(const Stage& stage, const std::vector<Life>& lives) {
  std::vector<std::pair<std::int64_t, std::int64_t>> changes;
  for (const Life& life : lives) {
    const std::int64_t bytes = stage.buffers[static_cast<std::size_t>(life.buffer)].bytes.value;
    changes.emplace_back(2 * life.first, bytes);
    changes.emplace_back(2 * life.last + 1, -bytes);
  }
  std::sort(changes.begin(), changes.end());
  std::int64_t live = 0;
  std::int64_t peak = 0;
  for (const auto& [when, change] : changes) {
    live += change;
    peak = std::max(peak, live);
  }
  return peak;
}

}  // namespace

ArenaPlan plan_arena(const Stage& stage, std::int32_t num_microbatches) {
  ArenaPlan plan{.size = {}, .live = {}, .num_microbatches = num_microbatches, .offsets = {}};
  const auto microbatches = static_cast<std::size_t>(num_microbatches);
  plan.offsets.assign(stage.buffers.size() * microbatches, ArenaPlan::kNone);
  std::int64_t persistent_end = 0;
  std::int64_t persistent_live = 0;
  for (std::size_t b = 0; b < stage.buffers.size(); ++b) {
    if (stage.buffers[b].persistent) {
      std::fill_n(plan.offsets.begin() + static_cast<std::ptrdiff_t>(b * microbatches), microbatches,
                  persistent_end);
      persistent_end += aligned(stage.buffers[b].bytes.value);
      persistent_live += stage.buffers[b].bytes.value;
    }
  }
  std::vector<Life> lives = LifeWalk(stage, num_microbatches).run();
  std::vector<std::size_t> by_size(lives.size());
  std::iota(by_size.begin(), by_size.end(), std::size_t{0});
  std::stable_sort(by_size.begin(), by_size.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(lives[a].bytes, lives[a].last - lives[a].first) >
           std::pair(lives[b].bytes, lives[b].last - lives[b].first);
  });
  plan.size = Bytes(persistent_end + place(lives, by_size));
  plan.live = Bytes(persistent_live + peak_live(stage, lives));
  for (const Life& life : lives) {
    plan.offsets[static_cast<std::size_t>(life.buffer) * microbatches +
                 static_cast<std::size_t>(life.microbatch)] = persistent_end + life.offset;
  }
  return plan;
}

}  // namespace portolan
