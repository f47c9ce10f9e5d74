#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "plan/program.h"

namespace portolan {

namespace {

using Found = Result<void>;

bool in_range(std::int64_t index, std::size_t size) { return index >= 0 && index < static_cast<std::int64_t>(size); }

/// Checks one stage by itself.
class StageCheck {
 public:
  StageCheck(const Program& program, std::size_t stage_index)
      : program_(program), stage_(program.stages[stage_index]), place_(fmt::format("program.stages[{}]", stage_index)) {}

  Found run() const {
    for (std::size_t t = 0; t < stage_.templates.size(); ++t) {
      for (std::size_t o = 0; o < stage_.templates[t].ops.size(); ++o) {
        PORTOLAN_CHECK_OK(check_op(t, o));
      }
    }
    for (std::size_t b = 0; b < stage_.buffers.size(); ++b) {
      PORTOLAN_CHECK_OK(check_buffer(b));
    }
    PORTOLAN_CHECK_OK(check_uses());
    PORTOLAN_CHECK_OK(check_order());
    return {};
  }

 private:
  Found fail(const std::string& where, const std::string& what) const { return bad_input(fmt::format("{}.{}: {}", place_, where, what)); }

  Found check_op(std::size_t t, std::size_t o) const {
    const Op& op = stage_.templates[t].ops[o];
    const std::string where = fmt::format("templates[{}].ops[{}]", t, o);
    if (!in_range(op.lane, program_.lanes.size())) {
      return fail(where + ".lane", fmt::format("{} (allowed: 0 to {})", op.lane, program_.lanes.size() - 1));
    }
    const bool compute_lane = program_.lanes[static_cast<std::size_t>(op.lane)].kind == Lane::Kind::kCompute;
    if (compute_lane != (op.kind == OpKind::kCompute)) {
      return fail(where + ".lane", "compute ops belong to the compute lane, communication to the others");
    }
    if ((op.kind == OpKind::kCompute) == op.kernels.empty()) {
      return fail(where + ".kernels", "a compute op has kernels, a communication op has none");
    }
    for (const Predecessor& p : op.predecessors) {
      if (p.kind == Predecessor::Kind::kOp ? !in_range(p.op, o) : p.slots_back < 1) {
        return fail(where + ".predecessors", "an op waits for earlier ops of its template or for earlier slots");
      }
    }
    for (const Kernel& kernel : op.kernels) {
      for (const Operand& operand : kernel.operands) {
        if (!in_range(operand.tensor, stage_.buffers.size())) {
          return fail(where + ".kernels", fmt::format("operand {} is no buffer (allowed: 0 to {})", operand.tensor, stage_.buffers.size() - 1));
        }
      }
    }
    for (std::int32_t buffer : op.buffers) {
      if (!in_range(buffer, stage_.buffers.size())) {
        return fail(where + ".buffers", fmt::format("{} is no buffer", buffer));
      }
    }
    if (op.bytes.value < 0) {
      return fail(where + ".bytes", fmt::format("{} (allowed: 0 or more)", op.bytes.value));
    }
    return check_peer(op, where);
  }

  Found check_peer(const Op& op, const std::string& where) const {
    const auto num_stages = static_cast<std::int32_t>(program_.stages.size());
    const auto stage_index = static_cast<std::int32_t>(&stage_ - program_.stages.data());
    if (op.kind == OpKind::kSend || op.kind == OpKind::kReceive) {
      const std::int32_t peer = stage_index + op.peer_offset;
      if (op.axis != Axis::kPipeline || op.peer_offset == 0 || peer < 0 || peer >= num_stages) {
        return fail(where + ".peer_offset", fmt::format("{} leads to stage {} (allowed: 0 to {}, another stage)", op.peer_offset, peer, num_stages - 1));
      }
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
    return in_range(step.op, t.ops.size()) && in_range(step.kernel, num_steps(t.ops[static_cast<std::size_t>(step.op)]));
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
    return {};
  }

  static auto key(const Step& step) { return std::tuple(step.template_index, step.op, step.kernel); }

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

  /// Each (template, microbatch) at most once, and a buffer's first template before its last.
  Found check_order() const {
    std::map<std::pair<std::int32_t, std::int32_t>, std::size_t> seen;
    for (std::size_t i = 0; i < stage_.order.size(); ++i) {
      const Slot& slot = stage_.order[i];
      const std::string where = fmt::format("order[{}]", i);
      if (!in_range(slot.template_index, stage_.templates.size())) {
        return fail(where, fmt::format("template {} (allowed: 0 to {})", slot.template_index, static_cast<std::int64_t>(stage_.templates.size()) - 1));
      }
      if (slot.microbatch < 0 || slot.microbatch >= program_.num_microbatches) {
        return fail(where, fmt::format("microbatch {} (allowed: 0 to {})", slot.microbatch, program_.num_microbatches - 1));
      }
      if (!seen.emplace(std::pair(slot.template_index, slot.microbatch), i).second) {
        return fail(where, fmt::format("\"{}\" of microbatch {} appears twice", stage_.templates[static_cast<std::size_t>(slot.template_index)].name, slot.microbatch));
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
    return {};
  }

  Found check_span(const std::map<std::pair<std::int32_t, std::int32_t>, std::size_t>& seen, std::int32_t first, std::int32_t last) const {
    for (std::int32_t m = 0; m < program_.num_microbatches; ++m) {
      const auto opening = seen.find({first, m});
      const auto closing = seen.find({last, m});
      if ((opening == seen.end()) != (closing == seen.end()) || (opening != seen.end() && opening->second > closing->second)) {
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

/// Runs the stages of one replica against each other without time: ops complete in any order that lanes and
/// predecessors allow, a send with its receive and a shared collective with its partner. What cannot complete is a deadlock.
class Rehearsal {
 public:
  explicit Rehearsal(const Program& program) : program_(program), stages_(program.stages.size()) {
    for (std::size_t s = 0; s < stages_.size(); ++s) {
      enter_slot(s);
    }
  }

  Found run() {
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t s = 0; s < stages_.size(); ++s) {
        moved |= advance(s);
      }
    }
    for (std::size_t s = 0; s < stages_.size(); ++s) {
      const Progress& progress = stages_[s];
      const auto& order = program_.stages[s].order;
      if (progress.slot < order.size()) {
        const Slot& slot = order[progress.slot];
        const Template& t = program_.stages[s].templates[static_cast<std::size_t>(slot.template_index)];
        return bad_input(fmt::format("program.stages[{}].order[{}]: deadlock: \"{}\" of microbatch {} waits for ever at op {} ({})", s, progress.slot,
                                     t.name, slot.microbatch, progress.op, op_kind_name(t.ops[progress.op].kind)));
      }
      if (!progress.outstanding.empty()) {
        return bad_input(fmt::format("program.stages[{}]: a send on channel {} of microbatch {} is never received", s,
                                     std::get<1>(*progress.outstanding.begin()), std::get<2>(*progress.outstanding.begin())));
      }
    }
    return {};
  }

 private:
  using Message = std::tuple<bool, std::int32_t, std::int32_t>;  ///< collective, channel or lane, microbatch or occurrence

  /// A rank goes through its ops in list order; sends are posted and complete with their receive.
  struct Progress {
    std::size_t slot = 0;
    std::size_t op = 0;
    std::set<Message> outstanding;  ///< posted sends not received yet
    std::map<std::int32_t, std::int32_t> occurrences;
  };

  void enter_slot(std::size_t s) {
    Progress& progress = stages_[s];
    const Stage& stage = program_.stages[s];
    while (progress.slot < stage.order.size() &&
           progress.op >= stage.templates[static_cast<std::size_t>(stage.order[progress.slot].template_index)].ops.size()) {
      ++progress.slot;
      progress.op = 0;
    }
  }

  /// Whether compute may begin: sends that it waits for are received.
  bool sends_done(const Progress& progress, const Op& op) const {
    const bool waits = std::any_of(op.predecessors.begin(), op.predecessors.end(), [](const Predecessor& p) { return p.kind == Predecessor::Kind::kAllOps; });
    return !waits || progress.outstanding.empty();
  }

  bool receive(std::size_t s, const Op& op, std::int32_t microbatch) {
    const auto peer = static_cast<std::size_t>(static_cast<std::int32_t>(s) + op.peer_offset);
    return stages_[peer].outstanding.erase({false, op.channel, microbatch}) == 1;
  }

  /// Both end stages must arrive; the first posts, the second completes both.
  bool meet(std::size_t s, Progress& progress, const Op& op) {
    if (op.group != GroupKind::kFirstAndLastStage || stages_.size() == 1) {
      return true;
    }
    const Message message{true, op.lane, progress.occurrences[op.lane]};
    Progress& peer = stages_[s == 0 ? stages_.size() - 1 : 0];
    if (met_.erase(message) == 1) {
      ++progress.occurrences[op.lane];
      return true;
    }
    if (peer.outstanding.erase(message) == 1) {
      met_.insert(message);
      ++progress.occurrences[op.lane];
      return true;
    }
    progress.outstanding.insert(message);
    return false;
  }

  bool advance(std::size_t s) {
    Progress& progress = stages_[s];
    const Stage& stage = program_.stages[s];
    bool moved = false;
    while (progress.slot < stage.order.size()) {
      const Slot& slot = stage.order[progress.slot];
      const Op& op = stage.templates[static_cast<std::size_t>(slot.template_index)].ops[progress.op];
      if (op.kind == OpKind::kCompute && !sends_done(progress, op)) {
        return moved;
      }
      if (op.kind == OpKind::kReceive && !receive(s, op, slot.microbatch)) {
        return moved;
      }
      if (op.kind == OpKind::kCollective && !meet(s, progress, op)) {
        return moved;
      }
      if (op.kind == OpKind::kSend) {
        progress.outstanding.insert({false, op.channel, slot.microbatch});
      }
      ++progress.op;
      enter_slot(s);
      moved = true;
    }
    return moved;
  }

  const Program& program_;
  std::vector<Progress> stages_;
  std::set<Message> met_;
};

}  // namespace

Result<void> check_program(const Program& program) {
  for (std::int32_t degree : program.degrees) {
    if (degree < 1 || degree > 1'000'000) {
      return bad_input(fmt::format("program.degrees: {} (allowed: 1 to 1000000)", degree));
    }
  }
  const auto num_stages = static_cast<std::size_t>(program.degrees[static_cast<std::size_t>(Axis::kPipeline)]);
  if (program.stages.size() != num_stages) {
    return bad_input(fmt::format("program.stages: {} stages (needed: the pipeline degree, {})", program.stages.size(), num_stages));
  }
  if (program.num_microbatches < 1 || program.microbatch_size < 1 || program.sequence_length < 1) {
    return bad_input("program: microbatches, microbatch size and sequence length must be 1 or more");
  }
  for (std::size_t s = 0; s < num_stages; ++s) {
    PORTOLAN_CHECK_OK(StageCheck(program, s).run());
  }
  return Rehearsal(program).run();
}

}  // namespace portolan
