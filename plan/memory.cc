#include "plan/memory.h"

#include <algorithm>

namespace portolan {

namespace {

std::int64_t sum(const BytesByKind& bytes) {
  std::int64_t total = 0;
  for (std::int64_t part : bytes) {
    total += part;
  }
  return total;
}

void add(BytesByKind& into, const BytesByKind& what) {
  for (std::size_t i = 0; i < into.size(); ++i) {
    into[i] += what[i];
  }
}

/// What a run of steps does to live memory, relative to where it begins.
struct MemoryChange {
  BytesByKind peak{};  ///< live, relative, where the total was highest
  BytesByKind net{};

  void note() {
    if (sum(net) > sum(peak)) {
      peak = net;
    }
  }
};

/// A template's effect: communication ops before the first compute op run while buffers that the slot before
/// handed to its communication still live.
struct TemplateChange {
  MemoryChange leading;
  MemoryChange rest;
  BytesByKind handed_on{};  ///< freed only when the next compute op begins
  bool has_compute = false;
};

class ChangeScan {
 public:
  explicit ChangeScan(const Stage& stage) : stage_(stage) {}

  TemplateChange scan(const Template& t, const TemplateLifetimes& lifetimes) const {
    TemplateChange change;
    BytesByKind pending{};
    for (std::size_t o = 0; o < t.ops.size(); ++o) {
      const bool compute = t.ops[o].kind == OpKind::kCompute;
      if (compute) {
        change.has_compute = true;
        release(change.rest.net, pending);
      }
      MemoryChange& part = change.has_compute ? change.rest : change.leading;
      for (const StepBuffers& step : lifetimes[o]) {
        for (std::int32_t buffer : step.begin) {
          part.net[kind(buffer)] += bytes(buffer);
        }
        part.note();
        for (std::int32_t buffer : step.end) {
          (compute ? part.net : pending)[kind(buffer)] += compute ? -bytes(buffer) : bytes(buffer);
        }
      }
    }
    change.handed_on = pending;
    return change;
  }

 private:
  static void release(BytesByKind& net, BytesByKind& pending) {
    for (std::size_t i = 0; i < net.size(); ++i) {
      net[i] -= std::exchange(pending[i], 0);
    }
  }
  std::size_t kind(std::int32_t buffer) const {
    return static_cast<std::size_t>(stage_.buffers[static_cast<std::size_t>(buffer)].kind);
  }
  std::int64_t bytes(std::int32_t buffer) const {
    return stage_.buffers[static_cast<std::size_t>(buffer)].bytes.value;
  }

  const Stage& stage_;
};

}  // namespace

std::vector<TemplateLifetimes> buffer_lifetimes(const Stage& stage) {
  std::vector<TemplateLifetimes> lifetimes;
  for (const Template& t : stage.templates) {
    TemplateLifetimes of_template;
    for (const Op& op : t.ops) {
      of_template.emplace_back(op.kind == OpKind::kCompute ? op.kernels.size() : 1);
    }
    lifetimes.push_back(std::move(of_template));
  }
  const auto at = [&](const Step& step) -> StepBuffers& {
    return lifetimes[static_cast<std::size_t>(step.template_index)][static_cast<std::size_t>(step.op)]
                    [static_cast<std::size_t>(step.kernel)];
  };
  for (std::size_t i = 0; i < stage.buffers.size(); ++i) {
    const Buffer& buffer = stage.buffers[i];
    if (!buffer.persistent) {
      at(buffer.first).begin.push_back(static_cast<std::int32_t>(i));
      at(buffer.last).end.push_back(static_cast<std::int32_t>(i));
    }
  }
  return lifetimes;
}

StageMemory stage_peak_memory(const Stage& stage, Bytes framework_memory) {
  const std::vector<TemplateLifetimes> lifetimes = buffer_lifetimes(stage);
  const ChangeScan scan(stage);
  std::vector<TemplateChange> changes;
  for (std::size_t i = 0; i < stage.templates.size(); ++i) {
    changes.push_back(scan.scan(stage.templates[i], lifetimes[i]));
  }
  BytesByKind live{};
  for (const Buffer& buffer : stage.buffers) {
    if (buffer.persistent) {
      live[static_cast<std::size_t>(buffer.kind)] += buffer.bytes.value;
    }
  }
  BytesByKind peak = live;
  BytesByKind pending{};
  const auto apply = [&](const MemoryChange& change) {
    BytesByKind highest = live;
    add(highest, change.peak);
    if (sum(highest) > sum(peak)) {
      peak = highest;
    }
    add(live, change.net);
  };
  for (const Slot& slot : stage.order) {
    const TemplateChange& change = changes[static_cast<std::size_t>(slot.template_index)];
    apply(change.leading);
    if (change.has_compute) {
      for (std::size_t i = 0; i < live.size(); ++i) {
        live[i] -= std::exchange(pending[i], 0);
      }
    }
    apply(change.rest);
    add(pending, change.handed_on);
  }
  const auto of = [&](BufferKind kind) { return Bytes(peak[static_cast<std::size_t>(kind)]); };
  const Bytes allocated(sum(peak));
  return {.allocated = allocated,
          .reserved = allocated + framework_memory,
          .parameters = of(BufferKind::kParameter),
          .gradients = of(BufferKind::kGradient),
          .optimizer_states = of(BufferKind::kOptimizerState),
          .activations = of(BufferKind::kActivation),
          .workspace = of(BufferKind::kWorkspace),
          .communication = of(BufferKind::kCommunication)};
}

}  // namespace portolan
