#include "plan/memory.h"

#include <algorithm>
#include <numeric>

namespace portolan {

namespace {

std::int64_t sum(const BytesByKind& bytes) { return std::accumulate(bytes.begin(), bytes.end(), 0LL); }

void add(BytesByKind& into, const BytesByKind& what) {
  for (std::size_t i = 0; i < into.size(); ++i) {
    into[i] += what[i];
  }
}

/// What a part of a template does to live memory, relative to where it begins.
struct MemoryChange {
  BytesByKind peak{};  ///< where the total was highest
  BytesByKind net{};
  std::int64_t host_peak = 0;
  std::int64_t host_net = 0;
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
    }
    for (const Buffer& buffer : stage.buffers) {
      live_[static_cast<std::size_t>(buffer.kind)] += buffer.persistent ? buffer.device_bytes().value : 0;
      host_ += buffer.persistent ? buffer.host_bytes().value : 0;
    }
    peak_.bytes = live_;
    peak_.host = host_;
  }

  void run(std::int32_t slot, const WalkPart& part) {
    const std::size_t t = template_of(slot);
    const MemoryChange& change = changes_[part_base_[t] + static_cast<std::size_t>(&part - parts_[t])];
    BytesByKind highest = live_;
    add(highest, change.peak);
    if (sum(highest) > sum(peak_.bytes)) {
      peak_.bytes = highest;
      peak_.slot = slot;
    }
    peak_.host = std::max(peak_.host, host_ + change.host_peak);
    add(live_, change.net);
    host_ += change.host_net;
  }
  void release(std::int32_t /*slot*/, const std::vector<std::int32_t>& buffers) {
    for (const std::int32_t buffer : buffers) {
      live_[kind(buffer)] -= of(buffer).device_bytes().value;
      host_ -= of(buffer).host_bytes().value;
    }
  }
  const LivePeak& peak() const { return peak_; }

 private:
  MemoryChange change_of(const WalkPart& part) const {
    MemoryChange change;
    std::int64_t total = 0;
    std::int64_t highest = 0;
    for (const BufferEvent& event : part.events) {
      const std::int64_t sign = event.begins ? 1 : -1;
      const std::int64_t more = sign * of(event.buffer).device_bytes().value;
      change.host_net += sign * of(event.buffer).host_bytes().value;
      change.host_peak = std::max(change.host_peak, change.host_net);
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
  std::size_t kind(std::int32_t buffer) const { return static_cast<std::size_t>(of(buffer).kind); }
  const Buffer& of(std::int32_t buffer) const { return stage_.buffers[static_cast<std::size_t>(buffer)]; }

  const Stage& stage_;
  std::vector<MemoryChange> changes_;   ///< by template and part
  std::vector<std::size_t> part_base_;  ///< by template
  std::vector<const WalkPart*> parts_;  ///< by template
  BytesByKind live_{};
  std::int64_t host_ = 0;
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
          .communication = of(BufferKind::kCommunication),
          .host = Bytes(peak.host)};
}

StageMemory stage_peak_memory(const Stage& stage) {
  return stage_memory_of(live_peak(stage, template_walks(stage)));
}

}  // namespace portolan
