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

/// Takes what `is_over` says from `held` and from `live`.
template <typename Held, typename IsOver>
void release(BytesByKind& live, std::vector<Held>& held, const IsOver& is_over) {
  std::erase_if(held, [&](const Held& one) {
    if (!is_over(one)) {
      return false;
    }
    for (std::size_t i = 0; i < live.size(); ++i) {
      live[i] -= one.bytes[i];
    }
    return true;
  });
}

/// Buffers that a communication op used last.
struct HandedOn {
  std::int32_t op = 0;
  BytesByKind bytes{};
};

/// A template's effect: communication ops before the first compute op run while buffers that slots before
/// handed to their communication still live.
struct TemplateChange {
  MemoryChange leading;
  MemoryChange rest;
  std::vector<HandedOn> handed_on;  ///< that no compute op of the template waits for
  const Op* first_compute = nullptr;
};

class ChangeScan {
 public:
  explicit ChangeScan(const Stage& stage) : stage_(stage) {}

  TemplateChange scan(const Template& t, const TemplateLifetimes& lifetimes) const {
    TemplateChange change;
    for (std::size_t o = 0; o < t.ops.size(); ++o) {
      const Op& op = t.ops[o];
      const bool compute = op.kind == OpKind::kCompute;
      if (compute) {
        change.first_compute = change.first_compute == nullptr ? &op : change.first_compute;
        release(change.rest.net, change.handed_on,
                [&](const HandedOn& held) { return waits_for_communication(op, 0, held.op); });
      }
      MemoryChange& part = change.first_compute != nullptr ? change.rest : change.leading;
      HandedOn handed{.op = static_cast<std::int32_t>(o)};
      for (const StepBuffers& step : lifetimes[o]) {
        for (std::int32_t buffer : step.begin) {
          part.net[kind(buffer)] += bytes(buffer);
        }
        part.note();
        for (std::int32_t buffer : step.end) {
          (compute ? part.net : handed.bytes)[kind(buffer)] += compute ? -bytes(buffer) : bytes(buffer);
        }
      }
      if (sum(handed.bytes) > 0) {
        change.handed_on.push_back(handed);
      }
    }
    return change;
  }

 private:
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

bool waits_for_communication(const Op& op, std::int32_t slots_back, std::int32_t communication) {
  return std::any_of(op.predecessors.begin(), op.predecessors.end(), [&](const Predecessor& p) {
    return slots_back == 0 ? p.kind == Predecessor::Kind::kOp && p.op == communication
                           : p.kind == Predecessor::Kind::kAllOps && p.slots_back == slots_back;
  });
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
  struct Held {
    std::int32_t slot = 0;
    std::int32_t op = 0;
    BytesByKind bytes{};
  };
  std::vector<Held> held;
  const auto apply = [&](const MemoryChange& change) {
    BytesByKind highest = live;
    add(highest, change.peak);
    if (sum(highest) > sum(peak)) {
      peak = highest;
    }
    add(live, change.net);
  };
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(stage.order.size()); ++i) {
    const TemplateChange& change =
        changes[static_cast<std::size_t>(stage.order[static_cast<std::size_t>(i)].template_index)];
    apply(change.leading);
    if (change.first_compute != nullptr) {
      release(live, held, [&](const Held& one) {
        return waits_for_communication(*change.first_compute, i - one.slot, one.op);
      });
    }
    apply(change.rest);
    for (const HandedOn& handed : change.handed_on) {
      held.push_back({i, handed.op, handed.bytes});
    }
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
