#include "plan/buffer_walk.h"

#include <algorithm>

namespace portolan {

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

namespace {

/// Buffers that a communication op used last.
struct HandedOn {
  std::int32_t op = 0;
  bool to_host = false;
  std::vector<std::int32_t> buffers;
};

/// The part of `walk` in which compute op `op` begins: a new one where it waits for slots before.
WalkPart& part_of(TemplateWalk& walk, const Op& op) {
  std::vector<std::int32_t> waits;
  std::optional<std::int32_t> copies_left;
  for (const Predecessor& p : op.predecessors) {
    if (p.kind == Predecessor::Kind::kAllOps && p.slots_back > 0) {
      waits.push_back(p.slots_back);
    }
    if (p.kind == Predecessor::Kind::kToHost) {
      copies_left = p.op;
    }
  }
  if (!waits.empty() || copies_left) {
    walk.parts.push_back({.waits = std::move(waits), .copies_left = copies_left, .events = {}});
  }
  return walk.parts.back();
}

void free_what_is_over(std::vector<HandedOn>& handed_on, const Op& op, std::int32_t index,
                       std::vector<BufferEvent>& events) {
  std::erase_if(handed_on, [&](const HandedOn& handed) {
    if (!waits_for_communication(op, 0, handed.op)) {
      return false;
    }
    for (const std::int32_t buffer : handed.buffers) {
      events.push_back({buffer, false, index});
    }
    return true;
  });
}

TemplateWalk walk_of(const Template& t, const TemplateLifetimes& lifetimes) {
  TemplateWalk walk;
  walk.parts.emplace_back();
  std::vector<HandedOn> handed_on;
  for (std::size_t o = 0; o < t.ops.size(); ++o) {
    const Op& op = t.ops[o];
    const bool compute = op.kind == OpKind::kCompute;
    const auto index = static_cast<std::int32_t>(o);
    if (compute) {
      free_what_is_over(handed_on, op, index, part_of(walk, op).events);
    }
    std::vector<BufferEvent>& events = walk.parts.back().events;
    HandedOn handed{.op = index, .to_host = op.to_host, .buffers = {}};
    for (const StepBuffers& step : lifetimes[o]) {
      for (const std::int32_t buffer : step.begin) {
        events.push_back({buffer, true, index});
      }
      for (const std::int32_t buffer : step.end) {
        if (compute) {
          events.push_back({buffer, false, index});
        } else {
          handed.buffers.push_back(buffer);
        }
      }
    }
    if (!handed.buffers.empty()) {
      handed_on.push_back(std::move(handed));
    }
  }
  for (HandedOn& handed : handed_on) {
    if (handed.to_host) {
      walk.copied.push_back(std::move(handed.buffers));
      continue;
    }
    walk.handed_on.insert(walk.handed_on.end(), handed.buffers.begin(), handed.buffers.end());
  }
  return walk;
}

}  // namespace

std::vector<TemplateWalk> template_walks(const Stage& stage) {
  const std::vector<TemplateLifetimes> lifetimes = buffer_lifetimes(stage);
  std::vector<TemplateWalk> walks;
  walks.reserve(stage.templates.size());
  for (std::size_t t = 0; t < stage.templates.size(); ++t) {
    walks.push_back(walk_of(stage.templates[t], lifetimes[t]));
  }
  return walks;
}

}  // namespace portolan
