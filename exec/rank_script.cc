#include "exec/rank_script.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "plan/buffer_walk.h"
#include "plan/rank_place.h"

namespace portolan {

namespace {

/// A span that communication op `op` of slot `slot` holds.
struct HeldSpan {
  ArenaSpan span;
  std::int32_t slot = 0;
  std::int32_t op = 0;
};

struct OpPlace {
  std::int32_t slot = 0;
  std::int32_t op = 0;
};

class ScriptWriter {
 public:
  ScriptWriter(const Program& program, std::int32_t rank)
      : stage_(program.stages[static_cast<std::size_t>(stage_of(program, rank))]),
        lifetimes_(buffer_lifetimes(stage_)),
        ids_(program) {
    script_.rank = rank;
    script_.stage = stage_of(program, rank);
    script_.replica = replica_of(program, rank);
    script_.source = &stage_;
    script_.arena = plan_arena(stage_, program.num_microbatches);
  }

  RankScript run() {
    for (const Buffer& buffer : stage_.buffers) {
      script_.persistent_bytes += buffer.persistent ? buffer.bytes.value : 0;
    }
    for (std::size_t i = 0; i < stage_.order.size(); ++i) {
      write_slot(static_cast<std::int32_t>(i));
    }
    script_.final_releases = release_held([](const HeldSpan&) { return true; });
    return std::move(script_);
  }

 private:
  template <typename T>
  static std::int32_t size_of(const std::vector<T>& list) {
    return static_cast<std::int32_t>(list.size());
  }

  ArenaSpan span_of(std::int32_t buffer, std::int32_t microbatch) const {
    return {script_.arena.offset(buffer, microbatch),
            stage_.buffers[static_cast<std::size_t>(buffer)].bytes.value};
  }

  void write_slot(std::int32_t index) {
    const Slot& slot = stage_.order[static_cast<std::size_t>(index)];
    const Template& t = stage_.templates[static_cast<std::size_t>(slot.template_index)];
    slot_begin_.push_back(size_of(script_.ops));
    for (std::size_t o = 0; o < t.ops.size(); ++o) {
      write_op(index, slot, static_cast<std::int32_t>(o));
    }
    last_compute_at_slot_.push_back(last_compute_);
  }

  void write_op(std::int32_t slot_index, const Slot& slot, std::int32_t op_index) {
    const auto t = static_cast<std::size_t>(slot.template_index);
    const Op& op = stage_.templates[t].ops[static_cast<std::size_t>(op_index)];
    const EventIndex event = size_of(script_.ops);
    ScriptOp written{.op = &op,
                     .slot = slot_index,
                     .template_index = slot.template_index,
                     .op_index = op_index,
                     .microbatch = slot.microbatch,
                     .op_id = ids_.id(script_.stage, slot.template_index, op_index, slot.microbatch),
                     .updates_model = updates_model(op),
                     .waits = {},
                     .steps = {},
                     .releases = {}};
    written.waits.begin = size_of(script_.waits);
    write_predecessors(op, slot_index);
    if (op.kind == OpKind::kCompute) {
      written.releases = release_held(
          [&](const HeldSpan& held) { return waits_for_communication(op, slot_index - held.slot, held.op); });
      last_compute_ = event;
    }
    written.waits.end = size_of(script_.waits);
    written.steps.begin = size_of(script_.steps);
    const TemplateLifetimes& lifetimes = lifetimes_[t];
    for (std::size_t k = 0; k < lifetimes[static_cast<std::size_t>(op_index)].size(); ++k) {
      const StepBuffers& lives = lifetimes[static_cast<std::size_t>(op_index)][k];
      write_step(op, op.kind == OpKind::kCompute ? &op.kernels[k] : nullptr, lives, slot.microbatch,
                 {slot_index, op_index});
    }
    written.steps.end = size_of(script_.steps);
    script_.ops.push_back(written);
  }

  /// The device keeps a lane in order by itself: what is left are the waits across lanes.
  void write_predecessors(const Op& op, std::int32_t slot_index) {
    for (const Predecessor& p : op.predecessors) {
      const std::int32_t past = slot_index - p.slots_back;
      if (p.kind == Predecessor::Kind::kOp) {
        script_.waits.push_back(slot_begin_.back() + p.op);
      } else if (past >= 0 && p.kind == Predecessor::Kind::kLastCompute) {
        const EventIndex event = last_compute_at_slot_[static_cast<std::size_t>(past)];
        if (event >= 0) {
          script_.waits.push_back(event);
        }
      } else if (past >= 0) {
        for (EventIndex e = slot_begin_[static_cast<std::size_t>(past)];
             e < slot_begin_[static_cast<std::size_t>(past) + 1]; ++e) {
          script_.waits.push_back(e);
        }
      }
    }
  }

  void write_step(const Op& op, const Kernel* kernel, const StepBuffers& lives, std::int32_t microbatch,
                  const OpPlace& at) {
    ScriptStep step;
    step.kernel = kernel;
    step.operands.begin = size_of(script_.operands);
    if (kernel != nullptr) {
      for (const Operand& operand : kernel->operands) {
        script_.operands.push_back(span_of(operand.tensor, microbatch));
      }
      note_roles(*kernel, step);
    } else {
      for (const std::int32_t buffer : op.buffers) {
        script_.operands.push_back(span_of(buffer, microbatch));
      }
    }
    step.operands.end = size_of(script_.operands);
    step.begins = write_spans(lives.begin, microbatch);
    if (kernel != nullptr) {
      step.ends = write_spans(lives.end, microbatch);
    } else {
      for (const std::int32_t buffer : lives.end) {
        held_.push_back({span_of(buffer, microbatch), at.slot, at.op});
      }
    }
    script_.steps.push_back(step);
  }

  void note_roles(const Kernel& kernel, ScriptStep& step) {
    if (kernel.kind == KernelKind::kAdamW && !kernel.operands.empty()) {
      step.weight_decay =
          stage_.buffers[static_cast<std::size_t>(kernel.operands.front().tensor)].weight_decay;
    }
    if (kernel.kind == KernelKind::kLoadTokens && !kernel.operands.empty()) {
      step.text = text_role(stage_.buffers[static_cast<std::size_t>(kernel.operands.front().tensor)].name);
    }
    if (kernel.kind == KernelKind::kCrossEntropyForward && kernel.operands.size() > 1) {
      script_.loss = kernel.operands[1].tensor;
    }
  }

  ListRange write_spans(const std::vector<std::int32_t>& buffers, std::int32_t microbatch) {
    const std::int32_t begin = size_of(script_.spans);
    for (const std::int32_t buffer : buffers) {
      script_.spans.push_back(span_of(buffer, microbatch));
    }
    return {begin, size_of(script_.spans)};
  }

  /// Gives back the spans whose communication is over.
  template <typename IsOver>
  ListRange release_held(const IsOver& is_over) {
    const std::int32_t begin = size_of(script_.spans);
    std::erase_if(held_, [&](const HeldSpan& held) {
      if (is_over(held)) {
        script_.spans.push_back(held.span);
        return true;
      }
      return false;
    });
    return {begin, size_of(script_.spans)};
  }

  bool writes_model(const Kernel& kernel) const {
    return std::any_of(kernel.operands.begin(), kernel.operands.end(), [&](const Operand& operand) {
      const BufferKind kind = stage_.buffers[static_cast<std::size_t>(operand.tensor)].kind;
      return operand.access != Access::kRead &&
             (kind == BufferKind::kParameter || kind == BufferKind::kOptimizerState);
    });
  }

  bool updates_model(const Op& op) const {
    return op.phase == Phase::kGradientSync || op.phase == Phase::kParameterGather ||
           std::any_of(op.kernels.begin(), op.kernels.end(),
                       [&](const Kernel& kernel) { return writes_model(kernel); });
  }

  const Stage& stage_;
  std::vector<TemplateLifetimes> lifetimes_;
  OpIds ids_;
  RankScript script_;
  std::vector<EventIndex> slot_begin_;
  std::vector<EventIndex> last_compute_at_slot_;
  EventIndex last_compute_ = -1;
  std::vector<HeldSpan> held_;
};

}  // namespace

TextRole text_role(std::string_view buffer_name) {
  if (buffer_name.ends_with("tokens")) {
    return TextRole::kTokens;
  }
  return buffer_name.ends_with("targets") ? TextRole::kTargets : TextRole::kNone;
}

RankScript make_rank_script(const Program& program, std::int32_t rank) {
  return ScriptWriter(program, rank).run();
}

std::string describe(const RankScript& script, const ScriptOp& op) {
  const Template& t = script.source->templates[static_cast<std::size_t>(op.template_index)];
  return fmt::format("rank {}, {} of microbatch {}, op {} ({})", script.rank, t.name, op.microbatch,
                     op.op_index, op_kind_name(op.op->kind));
}

}  // namespace portolan
