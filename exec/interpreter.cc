#include "exec/interpreter.h"

#include <algorithm>
#include <array>

#include "exec/initial_values.h"

namespace portolan {

namespace {

Error at_op(const RankScript& script, const ScriptOp& op, const Error& error) {
  return {error.kind, describe(script, op) + ": " + error.message};
}

template <typename T>
std::span<T> part(std::vector<T>& list, ListRange range) {
  return std::span(list).subspan(static_cast<std::size_t>(range.begin),
                                 static_cast<std::size_t>(range.end - range.begin));
}

template <typename T>
std::span<const T> part(const std::vector<T>& list, ListRange range) {
  return std::span(list).subspan(static_cast<std::size_t>(range.begin),
                                 static_cast<std::size_t>(range.end - range.begin));
}

}  // namespace

Interpreter::Interpreter(const Parts& parts)
    : parts_(parts), text_(parts.dataset, parts.program, parts.script.replica) {}

Result<void> Interpreter::prepare() {
  const RankScript& script = parts_.script;
  PORTOLAN_TRY(arena_, parts_.device.map_arena(script.arena.size));
  for (const ArenaSpan& span : script.operands) {
    operands_.push_back(arena_ + span.offset);
    memory_.push_back({arena_ + span.offset, Bytes(span.bytes)});
  }
  PORTOLAN_CHECK_OK(parts_.device.prepare(static_cast<std::int32_t>(parts_.program.lanes.size()),
                                          static_cast<std::int32_t>(script.ops.size())));
  live_ = script.persistent_bytes;
  return set_initial_values();
}

Result<void> Interpreter::set_initial_values() {
  std::array<float, 4096> values{};
  const std::vector<Buffer>& buffers = parts_.script.source->buffers;
  for (std::size_t b = 0; b < buffers.size(); ++b) {
    if (!buffers[b].persistent) {
      continue;
    }
    InitialValues source(buffers[b], parts_.training.seed);
    std::byte* destination = arena_ + parts_.script.arena.offset(static_cast<std::int32_t>(b), 0);
    for (std::int64_t left = buffers[b].bytes.value; left > 0;) {
      source.next(values);
      const auto whole = std::as_bytes(std::span<const float>(values));
      const auto run = whole.first(std::min(whole.size(), static_cast<std::size_t>(left)));
      PORTOLAN_CHECK_OK(parts_.device.write(destination, run));
      destination += run.size();
      left -= static_cast<std::int64_t>(run.size());
    }
  }
  return {};
}

Result<void> Interpreter::run_step(const StepRequest& request) {
  const RankScript& script = parts_.script;
  live_peak_ = live_;
  PORTOLAN_CHECK_OK(parts_.device.begin_step());
  for (std::size_t i = 0; i < script.ops.size(); ++i) {
    const ScriptOp& op = script.ops[i];
    if (const Result<void> done = run_op(op, static_cast<EventIndex>(i), request); !done) {
      return at_op(script, op, done.error());
    }
  }
  if (const Result<void> done = parts_.device.synchronize(); !done) {
    return script.ops.empty() ? done.error() : at_op(script, script.ops.back(), done.error());
  }
  PORTOLAN_CHECK_OK(end_lives(script.final_releases, script.ops.empty() ? 0 : script.ops.back().op->lane));
  if (!request.update_model) {
    live_ = script.persistent_bytes;  // lives that end in an op that was left out
  }
  return {};
}

Result<void> Interpreter::run_op(const ScriptOp& op, EventIndex event, const StepRequest& request) {
  for (const EventIndex before : part(parts_.script.waits, op.waits)) {
    PORTOLAN_CHECK_OK(parts_.device.wait(op.op->lane, before));
  }
  PORTOLAN_CHECK_OK(end_lives(op.releases, op.op->lane));
  if (op.updates_model && !request.update_model) {
    return {};
  }
  return op.op->kind == OpKind::kCompute ? run_compute(op, event, request) : run_communication(op, event);
}

Result<void> Interpreter::run_compute(const ScriptOp& op, EventIndex event, const StepRequest& request) {
  Device& device = parts_.device;
  const LaneId lane = op.op->lane;
  PORTOLAN_CHECK_OK(device.begin_compute(lane, event));
  for (const ScriptStep& step : part(parts_.script.steps, op.steps)) {
    PORTOLAN_CHECK_OK(begin_lives(step, lane));
    const TrainingOptions& training = parts_.training;
    const KernelLaunch launch{.kernel = *step.kernel,
                              .operands = part(operands_, step.operands),
                              .host_data = step.text == TextRole::kNone
                                               ? std::span<const std::byte>{}
                                               : text_.load(step.text, request.text, op.microbatch),
                              .update = {.learning_rate = training.learning_rate,
                                         .beta1 = training.adam_beta1,
                                         .beta2 = training.adam_beta2,
                                         .epsilon = training.adam_epsilon,
                                         .weight_decay = step.weight_decay ? training.weight_decay : 0.0,
                                         .step = request.update_index}};
    PORTOLAN_CHECK_OK(device.launch(lane, launch));
    PORTOLAN_CHECK_OK(end_lives(step.ends, lane));
  }
  return device.end_compute(lane, event);
}

Result<void> Interpreter::run_communication(const ScriptOp& op, EventIndex event) {
  const ScriptStep& step = parts_.script.steps[static_cast<std::size_t>(op.steps.begin)];
  const LaneId lane = op.op->lane;
  PORTOLAN_CHECK_OK(begin_lives(step, lane));
  const std::span<const MemorySpan> memory = part(memory_, step.operands);
  switch (op.op->kind) {
    case OpKind::kSend:
      return parts_.communicator.send(lane, event, op.transfer, memory);
    case OpKind::kReceive:
      return parts_.communicator.receive(lane, event, op.transfer, memory);
    case OpKind::kCollective:
    case OpKind::kCompute:
    case OpKind::kCopy:  // refused by check_runnable
      break;
  }
  return parts_.communicator.all_reduce(lane, event, op.transfer, memory);
}

Result<void> Interpreter::begin_lives(const ScriptStep& step, LaneId lane) {
  for (const ArenaSpan& span : part(parts_.script.spans, step.begins)) {
    live_ += span.bytes;
    if (parts_.poison) {
      PORTOLAN_CHECK_OK(parts_.device.poison(lane, arena_ + span.offset, Bytes(span.bytes)));
    }
  }
  live_peak_ = std::max(live_peak_, live_);
  return {};
}

Result<void> Interpreter::end_lives(ListRange spans, LaneId lane) {
  for (const ArenaSpan& span : part(parts_.script.spans, spans)) {
    live_ -= span.bytes;
    if (parts_.poison) {
      PORTOLAN_CHECK_OK(parts_.device.poison(lane, arena_ + span.offset, Bytes(span.bytes)));
    }
  }
  return {};
}

Result<double> Interpreter::loss_sum() {
  const RankScript& script = parts_.script;
  if (script.loss == Buffer::kNone) {
    return 0.0;
  }
  double sum = 0;
  const std::span<std::byte> destination(reinterpret_cast<std::byte*>(&sum), sizeof(sum));
  PORTOLAN_CHECK_OK(parts_.device.read(destination, arena_ + script.arena.offset(script.loss, 0)));
  return sum;
}

}  // namespace portolan
