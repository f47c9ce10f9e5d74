#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/quantity.h"
#include "plan/buffer_walk.h"
#include "plan/caching_allocator.h"
#include "plan/launch_queue.h"
#include "plan/memory.h"
#include "plan/program.h"

namespace portolan {

/// The buffers of one rank of a stage in its caching allocator: persistent ones first, the others as a
/// SlotWalk goes by, which it visits. A copy goes on by itself.
class AllocatorReplay {
 public:
  /// The stage and `ahead` must outlive it.
  AllocatorReplay(const Stage& stage, const CachingAllocator::Options& options, const RunAhead& ahead);

  void run(std::int32_t slot, const WalkPart& part);
  void release(std::int32_t slot, const std::vector<std::int32_t>& buffers);
  /// All that is not persistent ends its life, and the host waits for the device.
  void free_all();
  /// The step is over: the host waits for the device.
  void end_step();
  /// Precondition: `stage` has the same buffers and templates, and its order list began the same; `ahead` is
  /// the same.
  void go_on_as(const Stage& stage, const RunAhead& ahead) {
    stage_ = &stage;
    ahead_ = &ahead;
  }

  const CachingAllocator& allocator() const { return allocator_; }

 private:
  static constexpr std::int32_t kNone = -1;

  void allocate(std::int32_t column, std::int32_t buffer);
  void free_buffer(std::int32_t column, std::int32_t buffer);
  /// The host launches the ops of the slot up to this one.
  void launch_up_to(std::int32_t slot, std::int32_t op);
  void launch_before(std::int32_t end);
  /// Blocks that the device is past are free.
  void free_passed();
  void wait_for_device();
  std::int32_t column_of(std::int32_t microbatch);
  void drop_if_unused(std::int32_t microbatch);
  std::size_t place(std::int32_t column, std::int32_t buffer) const {
    return static_cast<std::size_t>(column) * sizes_.size() + static_cast<std::size_t>(buffer);
  }

  const Stage* stage_;
  CachingAllocator allocator_;
  std::vector<std::int64_t> sizes_;  ///< of buffers
  // A microbatch that has live buffers has a column of blocks.
  std::vector<CachingAllocator::BlockId> blocks_;  ///< by column and buffer; kNone: not live
  std::vector<std::int32_t> num_live_;             ///< by column
  std::vector<std::int32_t> columns_;              ///< by microbatch; kNone: has none
  /// A block that communications used, freed by the host.
  struct Deferred {
    Seconds passed;  ///< when the device is past them
    CachingAllocator::BlockId block = kNone;
  };
  const RunAhead* ahead_;
  LaunchQueue queue_;
  std::vector<bool> communicated_;  ///< buffers, if blocks are deferred
  std::deque<Deferred> deferred_;   ///< in order
  std::int32_t slot_ = kNone;       ///< whose ops are being launched
  std::int32_t launched_ = 0;       ///< of them
};

/// The most that the allocator reserves on a rank of `stage`, by going through whole steps: two, and more
/// while they add segments. The slow way, exact.
Bytes replay_steps(const Stage& stage, const std::vector<TemplateWalk>& walks,
                   const CachingAllocator::Options& options, const RunAhead& ahead = {});

/// A stage, what its templates do to memory, where most is live, and how far its host is ahead.
struct StageToReplay {
  const Stage* stage = nullptr;
  const std::vector<TemplateWalk>* walks = nullptr;
  LivePeak peak;
  RunAhead ahead = {};
};

/// The same of each stage, fast: passes are left out once most was live and each of them ran since then
/// without adding a segment; the step that this cuts short is the only one
/// (docs/decisions/0011-reserved-memory-by-replay.md). Stages with equal buffers and templates share what
/// their order lists have in common. At most replay_steps(), and within 4 % of it in the tests.
std::vector<Bytes> replay_stages(const std::vector<StageToReplay>& stages,
                                 const CachingAllocator::Options& options);

}  // namespace portolan
