#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "plan/program.h"
#include "plan/rank_place.h"
#include "plan/rehearse.h"

namespace portolan {

namespace {

using Found = Result<void>;

bool in_range(std::int64_t index, std::size_t size) {
  return index >= 0 && index < static_cast<std::int64_t>(size);
}

/// Checks one stage by itself.
class StageCheck {
 public:
  StageCheck(const Program& program, std::size_t stage_index)
      : program_(program),
        stage_(program.stages[stage_index]),
        place_(fmt::format("program.stages[{}]", stage_index)) {}

  Found run() const {
    for (std::size_t t = 0; t < stage_.templates.size(); ++t) {
      for (std::size_t o = 0; o < stage_.templates[t].ops.size(); ++o) {
        PORTOLAN_CHECK_OK(check_op(t, o));
      }
    }
    for (std::size_t b = 0; b < stage_.buffers.size(); ++b) {
      PORTOLAN_CHECK_OK(check_buffer(b));
    }
    PORTOLAN_CHECK_OK(check_copy_lanes());
    PORTOLAN_CHECK_OK(check_uses());
    PORTOLAN_CHECK_OK(check_order());
    return {};
  }

 private:
  Found fail(const std::string& where, const std::string& what) const {
    return bad_input(fmt::format("{}.{}: {}", place_, where, what));
  }

  Found check_op(std::size_t t, std::size_t o) const {
    const Op& op = stage_.templates[t].ops[o];
    const std::string where = fmt::format("templates[{}].ops[{}]", t, o);
    if (!in_range(op.lane, program_.lanes.size())) {
      return fail(where + ".lane",
                  fmt::format("{} (allowed: 0 to {})", op.lane, std::ssize(program_.lanes) - 1));
    }
    const Lane::Kind kind_of_lane = op.kind == OpKind::kCompute ? Lane::Kind::kCompute
                                    : op.kind == OpKind::kCopy  ? Lane::Kind::kCopy
                                                                : Lane::Kind::kCommunication;
    if (program_.lanes[static_cast<std::size_t>(op.lane)].kind != kind_of_lane) {
      return fail(where + ".lane", "an op belongs to a lane of its kind: compute, copy or communication");
    }
    if ((op.kind == OpKind::kCompute) == op.kernels.empty()) {
      return fail(where + ".kernels", "a compute op has kernels, a communication op has none");
    }
    for (const Predecessor& p : op.predecessors) {
      if (p.kind == Predecessor::Kind::kOp ? !in_range(p.op, o) : p.slots_back < 1 || p.op < 0) {
        return fail(where + ".predecessors",
                    "an op waits for earlier ops of its template or for earlier slots");
      }
    }
    for (const Kernel& kernel : op.kernels) {
      if (is_communication(kernel.kind) || kernel.bytes.value < 0 || !(kernel.flops.value >= 0) ||
          std::isinf(kernel.flops.value)) {
        return fail(where + ".kernels",
                    fmt::format("{} of {} FLOPs and {} B (allowed: no collective, neither below 0)",
                                kernel_name(kernel.kind), kernel.flops.value, kernel.bytes.value));
      }
      for (const Operand& operand : kernel.operands) {
        if (!in_range(operand.tensor, stage_.buffers.size())) {
          return fail(where + ".kernels", fmt::format("operand {} is no buffer (allowed: 0 to {})",
                                                      operand.tensor, std::ssize(stage_.buffers) - 1));
        }
        if (on_host(operand.tensor)) {
          return fail(where + ".kernels",
                      fmt::format("operand {} is on the host, which copies alone reach", operand.tensor));
        }
      }
    }
    for (std::int32_t buffer : op.buffers) {
      if (!in_range(buffer, stage_.buffers.size())) {
        return fail(where + ".buffers", fmt::format("{} is no buffer", buffer));
      }
    }
    if (op.occurrence != Occurrence::kEvery &&
        (op.kind != OpKind::kCollective ||
         !std::all_of(op.buffers.begin(), op.buffers.end(), [&](std::int32_t b) {
           return stage_.buffers[static_cast<std::size_t>(b)].persistent;
         }))) {
      return fail(where + ".occurrence", "only collectives of persistent buffers may run in one slot only");
    }
    if (op.bytes.value < 0) {
      return fail(where + ".bytes", fmt::format("{} (allowed: 0 or more)", op.bytes.value));
    }
    if (op.kind == OpKind::kCopy) {
      return check_copy(op, where);
    }
    if (op.to_host) {
      return fail(where + ".to_host", "copies only");
    }
    if (std::any_of(op.buffers.begin(), op.buffers.end(), [&](std::int32_t b) { return on_host(b); })) {
      return fail(where + ".buffers", "a buffer on the host is reached by copies alone");
    }
    return check_peer(op, where);
  }

  bool on_host(std::int32_t buffer) const { return stage_.buffers[static_cast<std::size_t>(buffer)].on_host; }

  /// Destinations on one side and as many sources of their sizes on the other.
  Found check_copy(const Op& op, const std::string& where) const {
    const std::size_t half = op.buffers.size() / 2;
    Bytes bytes;
    bool fits = half > 0 && 2 * half == op.buffers.size();
    for (std::size_t i = 0; fits && i < half; ++i) {
      const Buffer& destination = stage_.buffers[static_cast<std::size_t>(op.buffers[i])];
      const Buffer& source = stage_.buffers[static_cast<std::size_t>(op.buffers[half + i])];
      fits = destination.on_host == op.to_host && source.on_host != op.to_host &&
             destination.bytes == source.bytes;
      bytes += destination.bytes;
    }
    if (!fits || bytes != op.bytes) {
      return fail(where + ".buffers",
                  fmt::format("a copy {} the host needs destinations, then as many sources of the same sizes "
                              "on the other side, of {} bytes",
                              op.to_host ? "to" : "from", op.bytes.value));
    }
    if (!op.axes.empty()) {
      return fail(where + ".axes", "a copy joins no other ranks");
    }
    return {};
  }

  /// All copies to the host are in one lane, so that the last tells of those before it; likewise those from
  /// it.
  Found check_copy_lanes() const {
    std::map<bool, std::int32_t> lanes;
    for (std::size_t t = 0; t < stage_.templates.size(); ++t) {
      for (std::size_t o = 0; o < stage_.templates[t].ops.size(); ++o) {
        const Op& op = stage_.templates[t].ops[o];
        if (op.kind == OpKind::kCopy && lanes.emplace(op.to_host, op.lane).first->second != op.lane) {
          return fail(fmt::format("templates[{}].ops[{}].lane", t, o),
                      "copies of one direction share a lane");
        }
      }
    }
    return {};
  }

  Found check_peer(const Op& op, const std::string& where) const {
    const auto num_stages = static_cast<std::int32_t>(program_.stages.size());
    const auto stage_index = static_cast<std::int32_t>(&stage_ - program_.stages.data());
    if (op.kind == OpKind::kSend || op.kind == OpKind::kReceive) {
      const std::int32_t peer = stage_index + op.peer_offset;
      if (op.axes != AxisSet{Axis::kPipeline} || op.peer_offset == 0 || peer < 0 || peer >= num_stages) {
        return fail(where + ".peer_offset",
                    fmt::format("{} leads to stage {} (allowed: 0 to {}, another stage)", op.peer_offset,
                                peer, num_stages - 1));
      }
    }
    const bool of_blocks = op.group == GroupKind::kBlock || op.group == GroupKind::kStride;
    const std::int32_t ranks = placement_of(program_).num_along(op.axes);
    if (of_blocks && (op.group_size < 1 || ranks % op.group_size != 0)) {
      return fail(where + ".group_size", fmt::format("{} (allowed: a divisor of the {} ranks along the axes)",
                                                     op.group_size, ranks));
    }
    const bool of_ends = op.group == GroupKind::kFirstAndLastStage;
    if (op.kind == OpKind::kCollective &&
        (op.axes.empty() ||
         (of_ends ? op.axes != AxisSet{Axis::kPipeline} : op.axes.contains(Axis::kPipeline)))) {
      return fail(where + ".axes", "a collective joins ranks of one stage, or the first and the last stage");
    }
    if (op.group == GroupKind::kFirstAndLastStage && stage_index != 0 && stage_index != num_stages - 1) {
      return fail(where + ".group", "first and last stage only");
    }
    return {};
  }

  std::size_t num_steps(const Op& op) const { return op.kind == OpKind::kCompute ? op.kernels.size() : 1; }

  bool step_exists(const Step& step) const {
    if (!in_range(step.template_index, stage_.templates.size())) {
      return false;
    }
    const Template& t = stage_.templates[static_cast<std::size_t>(step.template_index)];
    return in_range(step.op, t.ops.size()) &&
           in_range(step.kernel, num_steps(t.ops[static_cast<std::size_t>(step.op)]));
  }

  Found check_buffer(std::size_t b) const {
    const Buffer& buffer = stage_.buffers[b];
    const std::string where = fmt::format("buffers[{}]", b);
    if (buffer.bytes.value < 0) {
      return fail(where + ".bytes", fmt::format("{} (allowed: 0 or more)", buffer.bytes.value));
    }
    if (buffer.partner != Buffer::kNone && !in_range(buffer.partner, stage_.buffers.size())) {
      return fail(where + ".partner", fmt::format("{} is no buffer", buffer.partner));
    }
    if (!buffer.persistent && (!step_exists(buffer.first) || !step_exists(buffer.last))) {
      return fail(where, "its first or last step does not exist");
    }
    if (!buffer.persistent && key(buffer.last) < key(buffer.first)) {
      return fail(where, "its last step comes before its first");
    }
    return {};
  }

  static std::tuple<std::int32_t, std::int32_t, std::int32_t> key(const Step& step) {
    return {step.template_index, step.op, step.kernel};
  }

  Found check_use(std::int32_t index, const Step& step) const {
    const Buffer& buffer = stage_.buffers[static_cast<std::size_t>(index)];
    if (!buffer.persistent && (key(step) < key(buffer.first) || key(buffer.last) < key(step))) {
      return fail(fmt::format("templates[{}].ops[{}]", step.template_index, step.op),
                  fmt::format("buffer {} \"{}\" is used outside its lifetime", index, buffer.name));
    }
    return {};
  }

  Found check_uses() const {
    for (std::size_t t = 0; t < stage_.templates.size(); ++t) {
      for (std::size_t o = 0; o < stage_.templates[t].ops.size(); ++o) {
        const Op& op = stage_.templates[t].ops[o];
        Step step{static_cast<std::int32_t>(t), static_cast<std::int32_t>(o), 0};
        for (std::int32_t buffer : op.buffers) {
          PORTOLAN_CHECK_OK(check_use(buffer, step));
        }
        for (std::size_t k = 0; k < op.kernels.size(); ++k) {
          step.kernel = static_cast<std::int32_t>(k);
          for (const Operand& operand : op.kernels[k].operands) {
            PORTOLAN_CHECK_OK(check_use(operand.tensor, step));
          }
        }
      }
    }
    return {};
  }

  /// Each (template, microbatch) at most once; templates that a buffer spans once for each microbatch, the
  /// first before the last.
  Found check_order() const {
    std::map<std::pair<std::int32_t, std::int32_t>, std::size_t> seen;
    for (std::size_t i = 0; i < stage_.order.size(); ++i) {
      const Slot& slot = stage_.order[i];
      const std::string where = fmt::format("order[{}]", i);
      if (!in_range(slot.template_index, stage_.templates.size())) {
        return fail(where, fmt::format("template {} (allowed: 0 to {})", slot.template_index,
                                       std::ssize(stage_.templates) - 1));
      }
      if (slot.microbatch < 0 || slot.microbatch >= program_.num_microbatches) {
        return fail(where, fmt::format("microbatch {} (allowed: 0 to {})", slot.microbatch,
                                       program_.num_microbatches - 1));
      }
      if (!seen.emplace(std::pair(slot.template_index, slot.microbatch), i).second) {
        return fail(where, fmt::format("\"{}\" of microbatch {} appears twice",
                                       stage_.templates[static_cast<std::size_t>(slot.template_index)].name,
                                       slot.microbatch));
      }
    }
    std::set<std::pair<std::int32_t, std::int32_t>> spans;
    for (const Buffer& buffer : stage_.buffers) {
      if (!buffer.persistent && buffer.first.template_index != buffer.last.template_index) {
        spans.emplace(buffer.first.template_index, buffer.last.template_index);
      }
    }
    for (const auto& [first, last] : spans) {
      PORTOLAN_CHECK_OK(check_span(seen, first, last));
    }
    return check_once_a_step(spans);
  }

  /// A template that opens and closes no microbatch is run once a step, after all slots of the templates
  /// listed before it and before those of the templates behind it: gradients are zeroed, accumulated, summed
  /// and used in that order.
  Found check_once_a_step(const std::set<std::pair<std::int32_t, std::int32_t>>& spans) const {
    std::vector<bool> of_microbatch(stage_.templates.size(), false);
    for (const auto& [first, last] : spans) {
      of_microbatch[static_cast<std::size_t>(first)] = true;
      of_microbatch[static_cast<std::size_t>(last)] = true;
    }
    for (std::size_t t = 0; t < stage_.templates.size(); ++t) {
      if (of_microbatch[t]) {
        continue;
      }
      const auto is_t = [&](const Slot& slot) { return slot.template_index == static_cast<std::int32_t>(t); };
      const auto at = std::find_if(stage_.order.begin(), stage_.order.end(), is_t);
      const auto after_t = [&](const Slot& slot) {
        return slot.template_index > static_cast<std::int32_t>(t);
      };
      const auto before_t = [&](const Slot& slot) {
        return slot.template_index < static_cast<std::int32_t>(t);
      };
      if (std::count_if(stage_.order.begin(), stage_.order.end(), is_t) != 1 ||
          std::any_of(stage_.order.begin(), at, after_t) || std::any_of(at, stage_.order.end(), before_t)) {
        return fail("order",
                    fmt::format("\"{}\" is needed once, after \"{}\" and before \"{}\"",
                                stage_.templates[t].name, t > 0 ? stage_.templates[t - 1].name : "the start",
                                t + 1 < stage_.templates.size() ? stage_.templates[t + 1].name : "the end"));
      }
    }
    return {};
  }

  Found check_span(const std::map<std::pair<std::int32_t, std::int32_t>, std::size_t>& seen,
                   std::int32_t first, std::int32_t last) const {
    for (std::int32_t m = 0; m < program_.num_microbatches; ++m) {
      const auto opening = seen.find({first, m});
      const auto closing = seen.find({last, m});
      if (opening == seen.end() || closing == seen.end() || opening->second > closing->second) {
        return fail("order", fmt::format("microbatch {} needs \"{}\" once before \"{}\" once", m,
                                         stage_.templates[static_cast<std::size_t>(first)].name,
                                         stage_.templates[static_cast<std::size_t>(last)].name));
      }
    }
    return {};
  }

  const Program& program_;
  const Stage& stage_;
  std::string place_;
};

/// Degrees, axis order, sizes and lanes.
Found check_frame(const Program& program) {
  constexpr std::int64_t kMostRanks = 1 << 24;
  std::int64_t ranks = 1;
  for (std::int32_t degree : program.degrees) {
    if (degree < 1 || degree > kMostRanks / ranks) {
      return bad_input(
          fmt::format("program.degrees: {} (allowed: 1 or more, {} ranks in all)", degree, kMostRanks));
    }
    ranks *= degree;
  }
  std::array<bool, kNumAxes> seen{};
  for (Axis axis : program.axis_order) {
    if (!in_range(static_cast<std::int64_t>(axis), seen.size()) ||
        std::exchange(seen[static_cast<std::size_t>(axis)], true)) {
      return bad_input("program.axis_order: an axis is missing or named twice");
    }
  }
  const auto num_stages =
      static_cast<std::size_t>(program.degrees[static_cast<std::size_t>(Axis::kPipeline)]);
  if (program.stages.size() != num_stages) {
    return bad_input(fmt::format("program.stages: {} stages (needed: the pipeline degree, {})",
                                 program.stages.size(), num_stages));
  }
  if (program.num_microbatches < 1 || program.microbatch_size < 1 || program.sequence_length < 1) {
    return bad_input("program: microbatches, microbatch size and sequence length must be 1 or more");
  }
  if (program.lanes.empty() || program.lanes.front().kind != Lane::Kind::kCompute) {
    return bad_input("program.lanes: the first lane must be the compute lane");
  }
  return {};
}

}  // namespace

Result<void> check_program(const Program& program) {
  PORTOLAN_CHECK_OK(check_frame(program));
  for (std::size_t s = 0; s < program.stages.size(); ++s) {
    PORTOLAN_CHECK_OK(StageCheck(program, s).run());
  }
  return rehearse(program);
}

}  // namespace portolan
