#include "reference_step.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <span>

namespace portolan {

ReferenceStep::ReferenceStep(const Program& program, const TokenDataset& text, const NamedTensors& parameters)
    : program_(program), stage_(program.stages.front()), text_(text) {
  EXPECT_EQ(program.num_ranks(), 1);
  for (const Buffer& buffer : stage_.buffers) {
    const auto copies = static_cast<std::size_t>(buffer.persistent ? 1 : program.num_microbatches);
    const auto numbers = static_cast<std::size_t>(buffer.bytes.value) / sizeof(float);
    buffers_.emplace_back(copies, ReferenceBuffer{.numbers = std::vector<double>(numbers), .tokens = {}});
    if (buffer.kind == BufferKind::kParameter) {
      EXPECT_EQ(parameters.at(buffer.name).size(), numbers) << buffer.name;
      buffers_.back().front().numbers = parameters.at(buffer.name);
    }
  }
}

std::vector<double>& ReferenceStep::parameter(const std::string& name) {
  const auto found = std::ranges::find(stage_.buffers, name, &Buffer::name);
  return buffers_.at(static_cast<std::size_t>(found - stage_.buffers.begin())).front().numbers;
}

double ReferenceStep::loss() {
  run(false);
  const auto found = std::ranges::find(stage_.buffers, "loss", &Buffer::name);
  const double sum = buffers_.at(static_cast<std::size_t>(found - stage_.buffers.begin())).front().numbers[0];
  return sum /
         static_cast<double>(program_.num_microbatches * program_.microbatch_size * program_.sequence_length);
}

NamedTensors ReferenceStep::gradients() {
  run(true);
  NamedTensors gradients;
  for (std::size_t b = 0; b < buffers_.size(); ++b) {
    if (stage_.buffers[b].kind == BufferKind::kGradient && stage_.buffers[b].persistent) {
      const auto parameter = static_cast<std::size_t>(stage_.buffers[b].partner);
      gradients[stage_.buffers[parameter].name] = buffers_[b].front().numbers;
    }
  }
  return gradients;
}

void ReferenceStep::run(bool with_backward) {
  forget_activations();
  for (const Slot& slot : stage_.order) {
    for (const Op& op : stage_.templates[static_cast<std::size_t>(slot.template_index)].ops) {
      EXPECT_EQ(op.kind, OpKind::kCompute);
      if (!with_backward && (op.phase == Phase::kRecompute || op.phase == Phase::kBackward)) {
        continue;
      }
      for (const Kernel& kernel : op.kernels) {
        run_kernel(kernel, slot.microbatch);
      }
    }
  }
}

void ReferenceStep::run_kernel(const Kernel& kernel, std::int32_t microbatch) {
  if (kernel.kind == KernelKind::kAdamW) {
    return;  // the step ends with its gradients
  }
  if (kernel.kind == KernelKind::kLoadTokens) {
    const std::int32_t destination = kernel.operands.front().tensor;
    load_tokens(stage_.buffers[static_cast<std::size_t>(destination)].name, microbatch,
                buffer(destination, microbatch).tokens);
    return;
  }
  std::vector<ReferenceBuffer*> operands;
  for (const Operand& operand : kernel.operands) {
    operands.push_back(&buffer(operand.tensor, microbatch));
  }
  run_reference_kernel(kernel, operands);
}

/// Sequence i of a microbatch is sequence microbatch * microbatch_size + i of the batch (batch_source.h).
void ReferenceStep::load_tokens(const std::string& buffer_name, std::int32_t microbatch,
                                std::vector<std::int32_t>& destination) const {
  const auto length = static_cast<std::size_t>(program_.sequence_length);
  std::vector<std::int32_t> tokens(length);
  std::vector<std::int32_t> targets(length);
  destination.clear();
  for (std::int64_t i = 0; i < program_.microbatch_size; ++i) {
    text_.training_window(0, microbatch * program_.microbatch_size + i, tokens, targets);
    const std::vector<std::int32_t>& half = buffer_name == "head targets" ? targets : tokens;
    destination.insert(destination.end(), half.begin(), half.end());
  }
}

/// A use of what was not made in this step comes out as a NaN.
void ReferenceStep::forget_activations() {
  for (std::size_t b = 0; b < buffers_.size(); ++b) {
    if (!stage_.buffers[b].persistent) {
      for (ReferenceBuffer& copy : buffers_[b]) {
        std::ranges::fill(copy.numbers, std::numeric_limits<double>::quiet_NaN());
      }
    }
  }
}

ReferenceBuffer& ReferenceStep::buffer(std::int32_t index, std::int32_t microbatch) {
  std::vector<ReferenceBuffer>& copies = buffers_[static_cast<std::size_t>(index)];
  return copies.size() == 1 ? copies.front() : copies[static_cast<std::size_t>(microbatch)];
}

}  // namespace portolan
