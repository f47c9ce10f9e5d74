#include "plan/allocator_replay.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "plan/link_use.h"

namespace portolan {

namespace {

/// Buffers that communications of kernels and sends go through or leave their results in. Gradients and
/// shards are left out: what reduces and gathers them waits for it (PyTorch FSDP, limit_all_gathers).
std::vector<bool> communicated_buffers(const Stage& stage) {
  std::vector<bool> communicated(stage.buffers.size(), false);
  for (const Template& t : stage.templates) {
    for (const Op& op : t.ops) {
      if (is_within_kernels(op) || op.kind == OpKind::kSend || op.kind == OpKind::kReceive) {
        for (const std::int32_t buffer : op.buffers) {
          communicated[static_cast<std::size_t>(buffer)] = true;
        }
      }
    }
  }
  return communicated;
}

}  // namespace

AllocatorReplay::AllocatorReplay(const Stage& stage, const CachingAllocator::Options& options,
                                 const RunAhead& ahead)
    : stage_(&stage), allocator_(options), ahead_(&ahead), queue_(ahead.launch, ahead.depth) {
  if (ahead.depth > 0) {
    communicated_ = communicated_buffers(stage);
  }
  sizes_.reserve(stage.buffers.size());
  for (const Buffer& buffer : stage.buffers) {
    sizes_.push_back(buffer.device_bytes().value);
    if (buffer.persistent && sizes_.back() > 0) {
      allocator_.allocate(Bytes(sizes_.back()));
    }
  }
}

std::int32_t AllocatorReplay::column_of(std::int32_t microbatch) {
  if (static_cast<std::size_t>(microbatch) >= columns_.size()) {
    columns_.resize(static_cast<std::size_t>(microbatch) + 1, kNone);
  }
  std::int32_t& column = columns_[static_cast<std::size_t>(microbatch)];
  if (column == kNone) {
    const auto unused = std::find(num_live_.begin(), num_live_.end(), 0);
    column = static_cast<std::int32_t>(unused - num_live_.begin());
    if (unused == num_live_.end()) {
      num_live_.push_back(0);
      blocks_.resize(blocks_.size() + sizes_.size(), kNone);
    }
  }
  return column;
}

void AllocatorReplay::free_buffer(std::int32_t column, std::int32_t buffer) {
  CachingAllocator::BlockId& block = blocks_[place(column, buffer)];
  if (block == kNone) {
    return;
  }
  if (!communicated_.empty() && communicated_[static_cast<std::size_t>(buffer)]) {
    deferred_.push_back({queue_.communicated(), block});
  } else {
    allocator_.free(block);
  }
  block = kNone;
  --num_live_[static_cast<std::size_t>(column)];
}

void AllocatorReplay::allocate(std::int32_t column, std::int32_t buffer) {
  const std::int64_t size = sizes_[static_cast<std::size_t>(buffer)];
  if (size == 0) {
    return;
  }
  free_passed();
  if (!deferred_.empty() && allocator_.reserved().value + size > ahead_->capacity.value) {
    wait_for_device();
  }
  blocks_[place(column, buffer)] = *allocator_.allocate(Bytes(size));
  ++num_live_[static_cast<std::size_t>(column)];
}

void AllocatorReplay::free_passed() {
  while (!deferred_.empty() && deferred_.front().passed <= queue_.host()) {
    allocator_.free(deferred_.front().block);
    deferred_.pop_front();
  }
}

void AllocatorReplay::wait_for_device() {
  queue_.wait();
  free_passed();
}

void AllocatorReplay::launch_before(std::int32_t end) {
  const std::int32_t index = stage_->order[static_cast<std::size_t>(slot_)].template_index;
  const std::vector<OpLaunch>& ops = ahead_->launches[static_cast<std::size_t>(index)];
  for (end = std::min(end, static_cast<std::int32_t>(ops.size())); launched_ < end; ++launched_) {
    queue_.launch(ops[static_cast<std::size_t>(launched_)]);
  }
}

void AllocatorReplay::launch_up_to(std::int32_t slot, std::int32_t op) {
  if (ahead_->depth == 0) {
    return;
  }
  if (slot != slot_) {
    if (slot_ != kNone) {
      launch_before(std::numeric_limits<std::int32_t>::max());
    }
    slot_ = slot;
    launched_ = 0;
  }
  launch_before(op + 1);
}

void AllocatorReplay::end_step() {
  slot_ = kNone;
  wait_for_device();
}

void AllocatorReplay::run(std::int32_t slot, const WalkPart& part) {
  const std::int32_t microbatch = stage_->order[static_cast<std::size_t>(slot)].microbatch;
  const std::int32_t column = column_of(microbatch);
  for (const BufferEvent& event : part.events) {
    launch_up_to(slot, event.op);
    if (event.begins) {
      allocate(column, event.buffer);
    } else {
      free_buffer(column, event.buffer);
    }
  }
  drop_if_unused(microbatch);
}

void AllocatorReplay::drop_if_unused(std::int32_t microbatch) {
  std::int32_t& column = columns_[static_cast<std::size_t>(microbatch)];
  column = num_live_[static_cast<std::size_t>(column)] == 0 ? kNone : column;
}

void AllocatorReplay::release(std::int32_t slot, const std::vector<std::int32_t>& buffers) {
  const std::int32_t microbatch = stage_->order[static_cast<std::size_t>(slot)].microbatch;
  const std::int32_t column = column_of(microbatch);
  for (const std::int32_t buffer : buffers) {
    free_buffer(column, buffer);
  }
  drop_if_unused(microbatch);
}

void AllocatorReplay::free_all() {
  end_step();
  for (CachingAllocator::BlockId& block : blocks_) {
    if (block != kNone) {
      allocator_.free(block);
      block = kNone;
    }
  }
  std::fill(num_live_.begin(), num_live_.end(), 0);
  std::fill(columns_.begin(), columns_.end(), kNone);
}

Bytes replay_steps(const Stage& stage, const std::vector<TemplateWalk>& walks,
                   const CachingAllocator::Options& options, const RunAhead& ahead) {
  // Each step that adds segments adds one of a size that was missing; far fewer are ever needed.
  constexpr int kMostSteps = 16;
  AllocatorReplay replay(stage, options, ahead);
  std::int64_t before = -1;
  for (int step = 0; step < kMostSteps && before != replay.allocator().num_segment_changes(); ++step) {
    before = replay.allocator().num_segment_changes();
    SlotWalk walk(stage, walks);
    while (!walk.at_end()) {
      walk.step(replay);
    }
    walk.finish(replay);
    replay.end_step();
  }
  return replay.allocator().peak_reserved();
}

namespace {

/// Passes of a stage's order list: templates that run more than once.
class Passes {
 public:
  explicit Passes(const Stage& stage) : stage_(stage), num_runs_(stage.templates.size(), 0) {
    for (const Slot& slot : stage.order) {
      ++num_runs_[static_cast<std::size_t>(slot.template_index)];
    }
    for (std::size_t i = 0; i < stage.order.size(); ++i) {
      end_ = is_pass(static_cast<std::int32_t>(i)) ? static_cast<std::int32_t>(i) + 1 : end_;
    }
    num_passes_ = std::count_if(num_runs_.begin(), num_runs_.end(), [](std::int32_t n) { return n > 1; });
  }

  bool is_pass(std::int32_t slot) const { return num_runs_[template_of(slot)] > 1; }
  std::size_t template_of(std::int32_t slot) const {
    return static_cast<std::size_t>(stage_.order[static_cast<std::size_t>(slot)].template_index);
  }
  std::size_t num_templates() const { return num_runs_.size(); }
  std::int64_t num_passes() const { return num_passes_; }
  std::int32_t end() const { return end_; }  ///< the slot after the last of them

 private:
  const Stage& stage_;
  std::vector<std::int32_t> num_runs_;  ///< by template
  std::int64_t num_passes_ = 0;
  std::int32_t end_ = 0;
};

/// Which passes ran since one of them added a segment.
class RunsWithoutChange {
 public:
  explicit RunsWithoutChange(const Passes& passes) : passes_(passes), ran_(passes.num_templates(), false) {}

  void note(std::int32_t slot, bool changed) {
    if (changed) {
      ran_.assign(ran_.size(), false);
    } else if (passes_.is_pass(slot)) {
      ran_[passes_.template_of(slot)] = true;
    }
  }
  bool are_all() const { return std::count(ran_.begin(), ran_.end(), true) == passes_.num_passes(); }

 private:
  const Passes& passes_;
  std::vector<bool> ran_;  ///< by template
};

/// Whether no buffer lives in the slots from `first` to the end.
bool ends_without_buffers(const SlotWalk& walk, std::int32_t first, const Stage& stage) {
  for (std::int32_t slot = first; slot < static_cast<std::int32_t>(stage.order.size()); ++slot) {
    for (const WalkPart& part : walk.walk_of(slot).parts) {
      if (!part.events.empty()) {
        return false;
      }
    }
  }
  return true;
}

struct ReplayPoint {
  AllocatorReplay replay;
  SlotWalk walk;
};

/// Goes on from `at` to the end of the step, leaving passes out when they add nothing. Keeps in `fork` what
/// was reached before slot `fork_slot`. Returns whether all slots ran.
bool finish_step(const StageToReplay& stage, ReplayPoint& at, std::int32_t fork_slot,
                 std::optional<ReplayPoint>& fork) {
  const Passes passes(*stage.stage);
  RunsWithoutChange runs(passes);
  bool whole = true;
  while (!at.walk.at_end()) {
    const std::int32_t slot = at.walk.next_slot();
    if (slot == fork_slot) {
      fork = at;
    }
    const std::int64_t before = at.replay.allocator().num_segment_changes();
    at.walk.step(at.replay);
    runs.note(slot, slot <= stage.peak.slot || before != at.replay.allocator().num_segment_changes());
    if (runs.are_all() && at.walk.next_slot() < passes.end()) {
      whole = false;
      if (ends_without_buffers(at.walk, passes.end(), *stage.stage)) {
        break;
      }
      at.replay.free_all();
      at.walk.skip_to(passes.end());
    }
  }
  at.walk.finish(at.replay);
  at.replay.end_step();
  return whole;
}

Bytes replay_rest(const StageToReplay& stage, ReplayPoint at, std::int32_t fork_slot,
                  std::optional<ReplayPoint>& fork) {
  std::int64_t before = 0;
  std::optional<ReplayPoint> no_fork;
  for (bool again = finish_step(stage, at, fork_slot, fork);
       again && before != at.replay.allocator().num_segment_changes();) {
    before = at.replay.allocator().num_segment_changes();
    at.walk.skip_to(0);
    again = finish_step(stage, at, -1, no_fork);
  }
  return at.replay.allocator().peak_reserved();
}

bool same_memory(const StageToReplay& a, const StageToReplay& b) {
  return *a.walks == *b.walks && a.ahead == b.ahead &&
         std::equal(a.stage->buffers.begin(), a.stage->buffers.end(), b.stage->buffers.begin(),
                    b.stage->buffers.end(), [](const Buffer& one, const Buffer& other) {
                      return one.device_bytes() == other.device_bytes() && one.persistent == other.persistent;
                    });
}

std::int32_t common_slots(const Stage& a, const Stage& b) {
  return static_cast<std::int32_t>(
      std::mismatch(a.order.begin(), a.order.end(), b.order.begin(), b.order.end()).first - a.order.begin());
}

}  // namespace

std::vector<Bytes> replay_stages(const std::vector<StageToReplay>& stages,
                                 const CachingAllocator::Options& options) {
  std::vector<Bytes> reserved(stages.size());
  std::optional<ReplayPoint> fork;
  // From the last stage on, as order lists of earlier ones begin with more forwards.
  for (std::size_t i = stages.size(); i-- > 0;) {
    const StageToReplay& stage = stages[i];
    if (i + 1 < stages.size() && stage.stage->order == stages[i + 1].stage->order &&
        same_memory(stage, stages[i + 1])) {
      reserved[i] = reserved[i + 1];
      continue;
    }
    const bool next_is_alike = i > 0 && same_memory(stage, stages[i - 1]);
    const std::int32_t fork_slot = next_is_alike ? common_slots(*stage.stage, *stages[i - 1].stage) : -1;
    ReplayPoint start = fork ? *std::move(fork)
                             : ReplayPoint{AllocatorReplay(*stage.stage, options, stage.ahead),
                                           SlotWalk(*stage.stage, *stage.walks)};
    fork.reset();
    start.replay.go_on_as(*stage.stage, stage.ahead);
    start.walk.go_on_as(*stage.stage);
    reserved[i] = replay_rest(stage, std::move(start), fork_slot, fork);
  }
  return reserved;
}

}  // namespace portolan
