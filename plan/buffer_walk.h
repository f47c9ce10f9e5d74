#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "plan/program.h"

namespace portolan {

/// Which buffers begin and end their lives around each step of a template.
struct StepBuffers {
  std::vector<std::int32_t> begin;  ///< allocated before the step
  std::vector<std::int32_t> end;    ///< freed after it
};
/// Per op, per kernel (communication ops have one step).
using TemplateLifetimes = std::vector<std::vector<StepBuffers>>;
std::vector<TemplateLifetimes> buffer_lifetimes(const Stage& stage);

/// Whether compute op `op` begins only when communication op `communication` of the slot `slots_back` before
/// its own (0: of its own) is over, by what it says that it waits for.
bool waits_for_communication(const Op& op, std::int32_t slots_back, std::int32_t communication);

/// A buffer that is not persistent begins or ends its life.
struct BufferEvent {
  std::int32_t buffer = 0;
  bool begins = false;
  std::int32_t op = 0;  ///< of the template, around which it is

  bool operator==(const BufferEvent&) const = default;
};

/// Events of a template between two waits for slots before.
struct WalkPart {
  std::vector<std::int32_t> waits;  ///< slots so far back have ended: what they handed on is freed at first
  /// So many of the copies to the host that earlier slots handed on to may be under way still.
  std::optional<std::int32_t> copies_left;
  std::vector<BufferEvent> events;

  bool operator==(const WalkPart&) const = default;
};

/// What a template does to memory, in the order of the compute lane. A buffer lives from just before its
/// first step until just after its last; one last used by a communication op until a compute op begins that
/// waits for it, or to the end of the step (docs/decisions/0007-memory-follows-waits.md).
struct TemplateWalk {
  std::vector<WalkPart> parts;
  /// Used last by its communication, which no compute op of the template waits for.
  std::vector<std::int32_t> handed_on;
  std::vector<std::vector<std::int32_t>> copied;  ///< likewise, by each of its copies to the host

  bool operator==(const TemplateWalk&) const = default;
};
std::vector<TemplateWalk> template_walks(const Stage& stage);

/// Goes through a stage's order list. A visitor has
///   void run(slot, part): the events of the part of the slot's template happen;
///   void release(slot, buffers): of what the slot's template handed on these are freed.
class SlotWalk {
 public:
  /// Both must outlive it.
  SlotWalk(const Stage& stage, const std::vector<TemplateWalk>& walks) : stage_(&stage), walks_(&walks) {}

  std::int32_t next_slot() const { return next_; }
  bool at_end() const { return next_ == static_cast<std::int32_t>(stage_->order.size()); }

  template <typename Visitor>
  void step(Visitor& visitor) {
    const TemplateWalk& walk = walk_of(next_);
    for (const WalkPart& part : walk.parts) {
      for (const std::int32_t back : part.waits) {
        if (std::erase(pending_, next_ - back) > 0) {
          visitor.release(next_ - back, walk_of(next_ - back).handed_on);
        }
      }
      while (part.copies_left && std::ssize(copies_) > *part.copies_left) {
        release_copy(visitor);
      }
      visitor.run(next_, part);
    }
    if (!walk.handed_on.empty()) {
      pending_.push_back(next_);
    }
    for (std::size_t copy = 0; copy < walk.copied.size(); ++copy) {
      copies_.emplace_back(next_, copy);
    }
    ++next_;
  }
  /// The step is over, and with it all communication.
  template <typename Visitor>
  void finish(Visitor& visitor) {
    for (const std::int32_t slot : std::exchange(pending_, {})) {
      visitor.release(slot, walk_of(slot).handed_on);
    }
    while (!copies_.empty()) {
      release_copy(visitor);
    }
  }

  /// Goes on at `slot`, with nothing handed on.
  void skip_to(std::int32_t slot) {
    next_ = slot;
    pending_.clear();
    copies_.clear();
  }
  /// Precondition: the templates of `stage` are the same, and its order list began the same.
  void go_on_as(const Stage& stage) { stage_ = &stage; }

  const TemplateWalk& walk_of(std::int32_t slot) const {
    const Slot& of_order = stage_->order[static_cast<std::size_t>(slot)];
    return (*walks_)[static_cast<std::size_t>(of_order.template_index)];
  }

 private:
  template <typename Visitor>
  void release_copy(Visitor& visitor) {
    const auto [slot, copy] = copies_.front();
    copies_.erase(copies_.begin());  // there are two or three
    visitor.release(slot, walk_of(slot).copied[copy]);
  }

  const Stage* stage_;
  const std::vector<TemplateWalk>* walks_;
  std::int32_t next_ = 0;
  std::vector<std::int32_t> pending_;  ///< slots that handed buffers on, which live still
  std::vector<std::pair<std::int32_t, std::size_t>> copies_;  ///< likewise: slot, and which of its copies
};

}  // namespace portolan
