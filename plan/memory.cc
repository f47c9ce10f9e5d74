#include "plan/memory.h"

#include <numeric>

namespace portolan {

namespace {

std::int64_t sum(const BytesByKind& bytes) { return std::accumulate(bytes.begin(), bytes.end(), 0LL); }

void add(BytesByKind& into, const BytesByKind& what, std::int64_t factor = 1) {
  for (std::size_t i = 0; i < into.size(); ++i) {
    into[i] += factor * what[i];
  }
}

/// What a part of a template does to live memory, relative to where it begins.
struct MemoryChange {
  BytesByKind peak{};  ///< where the total was highest
  BytesByKind net{};
};

/// Live memory as a SlotWalk goes by: one sum a part, however many buffers it has.
class LiveSum {
 public:
  LiveSum(const Stage& stage, const std::vector<TemplateWalk>& walks) : stage_(stage) {
    for (const TemplateWalk& walk : walks) {
      for (const WalkPart& part : walk.parts) {
        changes_.push_back(change_of(part));
      }
      part_base_.push_back(changes_.size() - walk.parts.size());
      parts_.push_back(walk.parts.data());
      handed_on_.emplace_back();
      for (const std::int32_t buffer : walk.handed_on) {
        handed_on_.back()[kind(buffer)] += bytes(buffer);
      }
    }
    for (const Buffer& buffer : stage.buffers) {
      live_[static_cast<std::size_t>(buffer.kind)] += buffer.persistent ? buffer.bytes.value : 0;
    }
    peak_.bytes = live_;
  }

  void run(std::int32_t slot, const WalkPart& part) {
    const std::size_t t = template_of(slot);
    const MemoryChange& change = changes_[part_base_[t] + static_cast<std::size_t>(&part - parts_[t])];
    BytesByKind highest = live_;
    add(highest, change.peak);
    if (sum(highest) > sum(peak_.bytes)) {
      peak_ = {highest, slot};
    }
    add(live_, change.net);
  }
  void release(std::int32_t slot, const std::vector<std::int32_t>&) {
    add(live_, handed_on_[template_of(slot)], -1);
  }
  const LivePeak& peak() const { return peak_; }

 private:
  MemoryChange change_of(const WalkPart& part) const {
    MemoryChange change;
    std::int64_t total = 0;
    std::int64_t highest = 0;
    for (const BufferEvent& event : part.events) {
      const std::int64_t more = event.begins ? bytes(event.buffer) : -bytes(event.buffer);
      change.net[kind(event.buffer)] += more;
      total += more;
      if (total > highest) {
        highest = total;
        change.peak = change.net;
      }
    }
    return change;
  }
  std::size_t template_of(std::int32_t slot) const {
    return static_cast<std::size_t>(stage_.order[static_cast<std::size_t>(slot)].template_index);
  }
  std::size_t kind(std::int32_t buffer) const {
    return static_cast<std::size_t>(stage_.buffers[static_cast<std::size_t>(buffer)].kind);
  }
  std::int64_t bytes(std::int32_t buffer) const {
    return stage_.buffers[static_cast<std::size_t>(buffer)].bytes.value;
  }

  const Stage& stage_;
  std::vector<MemoryChange> changes_;   ///< by template and part
  std::vector<std::size_t> part_base_;  ///< by template
  std::vector<const WalkPart*> parts_;  ///< by template
  std::vector<BytesByKind> handed_on_;  ///< by template
  BytesByKind live_{};
  LivePeak peak_;
};

}  // namespace

LivePeak live_peak(const Stage& stage, const std::vector<TemplateWalk>& walks) {
  LiveSum live(stage, walks);
  for (SlotWalk walk(stage, walks); !walk.at_end();) {
    walk.step(live);
  }
  return live.peak();
}

StageMemory stage_memory_of(const LivePeak& peak) {
  const auto of = [&](BufferKind kind) { return Bytes(peak.bytes[static_cast<std::size_t>(kind)]); };
  const Bytes allocated(sum(peak.bytes));
  return {.allocated = allocated,
          .reserved = allocated,
          .parameters = of(BufferKind::kParameter),
          .gradients = of(BufferKind::kGradient),
          .optimizer_states = of(BufferKind::kOptimizerState),
          .activations = of(BufferKind::kActivation),
          .workspace = of(BufferKind::kWorkspace),
          .communication = of(BufferKind::kCommunication)};
}

StageMemory stage_peak_memory(const Stage& stage) {
  return stage_memory_of(live_peak(stage, template_walks(stage)));
}

}  // namespace portolan
