#include "plan/template_assembler.h"

#include <cassert>

namespace portolan {

namespace {

constexpr std::int32_t kUntouched = -1;

}  // namespace

std::int32_t add_buffer(Stage& stage, Buffer buffer) {
  if (!buffer.persistent) {
    buffer.first.template_index = kUntouched;
  }
  stage.buffers.push_back(std::move(buffer));
  return static_cast<std::int32_t>(stage.buffers.size()) - 1;
}

TemplateAssembler::TemplateAssembler(Stage& stage, std::string name)
    : stage_(stage), template_index_(static_cast<std::int32_t>(stage.templates.size())) {
  stage_.templates.push_back({.name = std::move(name), .chunk = 0, .ops = {}});
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

void TemplateAssembler::add_kernel(const ComputePlace& place, Kernel kernel) {
  std::vector<Op>& ops = current().ops;
  if (!open_ || ops.back().phase != place.phase || ops.back().layer != place.layer) {
    Op op;
    op.kind = OpKind::kCompute;
    op.lane = static_cast<std::int32_t>(LaneIndex::kCompute);
    op.phase = place.phase;
    op.layer = place.layer;
    op.predecessors = std::exchange(pending_, {});
    ops.push_back(std::move(op));
    open_ = true;
  }
  Op& op = ops.back();
  last_compute_ = static_cast<std::int32_t>(ops.size()) - 1;
  const Step step{template_index_, last_compute_, static_cast<std::int32_t>(op.kernels.size())};
  for (const Operand& operand : kernel.operands) {
    touch(operand.tensor, step);
  }
  op.kernels.push_back(std::move(kernel));
}

void TemplateAssembler::end_op() { open_ = false; }

void TemplateAssembler::add_communication(Op op, const Wait& wait) {
  std::vector<Op>& ops = current().ops;
  const auto index = static_cast<std::int32_t>(ops.size());
  if (wait.for_compute && last_compute_ >= 0) {
    op.predecessors.push_back({Predecessor::Kind::kOp, last_compute_, 0});
  }
  for (std::int32_t buffer : op.buffers) {
    touch(buffer, {template_index_, index, 0});
  }
  ops.push_back(std::move(op));
  open_ = false;
  if (wait.compute_waits) {
    pending_.push_back({Predecessor::Kind::kOp, index, 0});
  }
}

}  // namespace portolan
