#include "plan/template_assembler.h"

#include <algorithm>
#include <cassert>

namespace portolan {

namespace {

constexpr std::int32_t kUntouched = -1;
/// Of a layer's forward between two collectives.
constexpr std::size_t kUsualKernels = 16;

}  // namespace

std::int32_t add_buffer(Stage& stage, Buffer buffer) {
  if (!buffer.persistent) {
    buffer.first.template_index = kUntouched;
  }
  stage.buffers.push_back(std::move(buffer));
  return static_cast<std::int32_t>(stage.buffers.size()) - 1;
}

bool is_touched(const Stage& stage, std::int32_t index) {
  const Buffer& buffer = stage.buffers[static_cast<std::size_t>(index)];
  return !buffer.persistent && buffer.first.template_index != kUntouched;
}

TemplateAssembler::TemplateAssembler(Stage& stage, std::string name, std::int32_t chunk)
    : stage_(stage), template_index_(static_cast<std::int32_t>(stage.templates.size())) {
  stage_.templates.push_back({.name = std::move(name), .chunk = chunk, .ops = {}});
}

void TemplateAssembler::touch(std::int32_t buffer_index, const Step& step) {
  Buffer& buffer = stage_.buffers[static_cast<std::size_t>(buffer_index)];
  if (buffer.persistent) {
    return;
  }
  if (buffer.first.template_index == kUntouched) {
    buffer.first = step;
  }
  buffer.last = step;
}

std::vector<std::int32_t> TemplateAssembler::take_awaited(const Kernel& kernel) {
  const auto shares_buffer = [&](std::int32_t op) {
    const std::vector<std::int32_t>& buffers = current().ops[static_cast<std::size_t>(op)].buffers;
    return std::any_of(kernel.operands.begin(), kernel.operands.end(), [&](const Operand& operand) {
      return std::find(buffers.begin(), buffers.end(), operand.tensor) != buffers.end();
    });
  };
  const auto awaited = std::stable_partition(under_way_.begin(), under_way_.end(),
                                             [&](std::int32_t op) { return !shares_buffer(op); });
  std::vector<std::int32_t> taken(awaited, under_way_.end());
  under_way_.erase(awaited, under_way_.end());
  return taken;
}

void TemplateAssembler::add_kernel(const ComputePlace& place, Kernel kernel) {
  std::vector<Op>& ops = current().ops;
  const std::vector<std::int32_t> awaited = take_awaited(kernel);
  for (const std::int32_t op : awaited) {
    pending_.push_back({Predecessor::Kind::kOp, op, 0});
    open_ = false;
  }
  if (!open_ || ops.back().phase != place.phase || ops.back().layer != place.layer) {
    Op op;
    op.kind = OpKind::kCompute;
    op.lane = static_cast<std::int32_t>(LaneIndex::kCompute);
    op.phase = place.phase;
    op.layer = place.layer;
    op.predecessors = std::exchange(pending_, {});
    op.kernels.reserve(kUsualKernels);
    ops.push_back(std::move(op));
    open_ = true;
  }
  Op& op = ops.back();
  last_compute_ = static_cast<std::int32_t>(ops.size()) - 1;
  const Step step{template_index_, last_compute_, static_cast<std::int32_t>(op.kernels.size())};
  for (const Operand& operand : kernel.operands) {
    touch(operand.tensor, step);
  }
  for (const std::int32_t communication : awaited) {
    for (const std::int32_t buffer : ops[static_cast<std::size_t>(communication)].buffers) {
      touch(buffer, step);  // held until the communication is known to be over
    }
  }
  op.kernels.push_back(std::move(kernel));
}

void TemplateAssembler::end_op() { open_ = false; }

std::int32_t TemplateAssembler::add_communication(Op op, const Wait& wait) {
  std::vector<Op>& ops = current().ops;
  const auto index = static_cast<std::int32_t>(ops.size());
  if (wait.for_compute || wait.after_compute) {
    op.predecessors.push_back(last_compute_ >= 0 ? Predecessor{Predecessor::Kind::kOp, last_compute_, 0}
                                                 : Predecessor{Predecessor::Kind::kLastCompute, 0, 1});
  }
  if (wait.for_compute) {
    // It starts where compute would go on, after all that compute would wait for.
    op.predecessors.insert(op.predecessors.end(), pending_.begin(), pending_.end());
  }
  for (std::int32_t buffer : op.buffers) {
    touch(buffer, {template_index_, index, 0});
  }
  ops.push_back(std::move(op));
  open_ = false;
  if (wait.compute_waits == ComputeWaits::kAtOnce) {
    pending_.push_back({Predecessor::Kind::kOp, index, 0});
  } else if (wait.compute_waits == ComputeWaits::kAtUse) {
    under_way_.push_back(index);
  }
  return index;
}

}  // namespace portolan
