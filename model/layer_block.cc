#include <cassert>

#include "model/block.h"
#include "model/experts.h"
#include "model/layer_parts.h"

namespace portolan {

void add_hidden(BlockBuilder& b, int y, int x) {
  b.launch({.kind = KernelKind::kResidualAdd,
            .operands = {{y, Access::kUpdate}, {x, Access::kRead}},
            .shape = {.rows = b.hidden_rows(), .columns = b.config().hidden_size}});
}

std::optional<int> residual_add(BlockBuilder& b, const std::string& name, int y, int x,
                                const std::optional<ParameterPair>& bias) {
  const bool fused = b.options().fused_dropout_add;
  std::vector<Operand> operands{{y, Access::kUpdate}, {x, Access::kRead}};
  if (bias && fused) {
    operands.push_back({bias->value, Access::kRead});
  }
  std::optional<int> mask;
  if (b.options().dropout) {
    mask = b.activation(name + ".dropout_mask", b.hidden_rows() * b.config().hidden_size, 1);
  }
  if (mask && fused) {
    operands.push_back({*mask, Access::kWrite});
  }
  if (bias && !fused) {
    b.elementwise({{y, Access::kUpdate}, {bias->value, Access::kRead}});
  }
  if (mask && !fused) {
    b.elementwise({{y, Access::kUpdate}, {*mask, Access::kWrite}});
  }
  b.launch({.kind = KernelKind::kResidualAdd,
            .operands = std::move(operands),
            .shape = {.rows = b.hidden_rows(), .columns = b.config().hidden_size},
            .flops_per_element = b.options().dropout ? 4.0 : 2.0});
  return mask;
}

int branch_gradient(BlockBuilder& b, const std::string& name, int hidden_gradient, std::optional<int> mask) {
  if (!mask) {
    return hidden_gradient;
  }
  const int gradient = b.activation(name + ".output_gradient", b.hidden_rows() * b.config().hidden_size);
  b.launch(
      {.kind = KernelKind::kDropoutBackward,
       .operands = {{gradient, Access::kWrite}, {hidden_gradient, Access::kRead}, {*mask, Access::kRead}},
       .shape = {.rows = b.hidden_rows(), .columns = b.config().hidden_size}});
  return gradient;
}

void add_norm_backward(BlockBuilder& b, const NormTensors& norm, int input, int norm_gradient,
                       const GradientTurn& turn) {
  if (turn.from == turn.to) {
    b.norm_backward(norm, input, norm_gradient, {turn.to, Access::kUpdate});
  } else {
    b.norm_backward(norm, input, norm_gradient, {turn.to, Access::kWrite}, turn.from);
  }
}

void branch_sum(BlockBuilder& b, LayerTensors& t) {
  const std::int64_t elements = b.rows() * b.config().hidden_size;
  const int mlp_part = b.activation("fc2.part", elements);
  b.linear_forward(t.mlp.fc2, mlp_part, t.mlp.activated.output, false);
  const int part = b.part_of("sum.part", t.output);
  std::vector<Operand> operands{
      {part, Access::kWrite}, {t.attention_part, Access::kRead}, {mlp_part, Access::kRead}};
  if (t.projection.bias) {  // of several ranks, the first adds the biases
    operands.push_back({t.projection.bias->value, Access::kRead});
    operands.push_back({t.mlp.fc2.bias->value, Access::kRead});
  }
  b.launch({.kind = KernelKind::kBranchSum,
            .operands = std::move(operands),
            .shape = {.rows = b.rows(), .columns = b.config().hidden_size},
            .flops_per_element = 3});
  b.sum_parts(part, t.output);
  t.output_mask = residual_add(b, "fc2", t.output, t.input, std::nullopt);
}

namespace {

/// The norms of both branches read the same hidden states, and one gradient enters both branches: it is
/// turned when neither needs it any more.
void parallel_backward(BlockBuilder& b, const LayerTensors& t) {
  const HiddenGradient output =
      b.gathered("fc2", branch_gradient(b, "fc2", t.hidden_gradient, t.output_mask));
  const int norm2_gradient = mlp_branch_backward(b, t, output);
  const int norm1_gradient = attention_backward(b, t, output);
  add_norm_backward(b, t.norm2, t.input, norm2_gradient, {t.hidden_gradient, t.residual_gradient});
  add_norm_backward(b, t.norm1, t.input, norm1_gradient, {t.residual_gradient, t.input_gradient});
}

void serial_backward(BlockBuilder& b, const LayerTensors& t) {
  const int mlp_gradient = branch_gradient(b, "fc2", t.hidden_gradient, t.output_mask);
  const int norm2_gradient = t.experts ? experts_branch_backward(b, t, mlp_gradient)
                                       : mlp_branch_backward(b, t, b.gathered("fc2", mlp_gradient));
  add_norm_backward(b, t.norm2, t.residual, norm2_gradient, {t.hidden_gradient, t.residual_gradient});
  const int attention_gradient = branch_gradient(b, "projection", t.residual_gradient, t.projection_mask);
  const int norm1_gradient = attention_backward(b, t, b.gathered("projection", attention_gradient));
  add_norm_backward(b, t.norm1, t.input, norm1_gradient, {t.residual_gradient, t.input_gradient});
}

}  // namespace

Block layer_block(const TransformerConfig& config, const BlockOptions& options, LayerKind kind) {
  assert(kind == LayerKind::kDense || (config.experts && !config.parallel_residual));
  BlockBuilder b("layer", config, options);
  const std::int64_t elements = b.hidden_rows() * config.hidden_size;
  LayerTensors t;
  t.input = b.port("input", TensorRole::kInput, elements, options.compute_bytes);
  t.output = b.port("output", TensorRole::kOutput, elements, options.compute_bytes);
  t.hidden_gradient = b.port("hidden_gradient", TensorRole::kHiddenGradient, elements, options.compute_bytes);
  t.residual_gradient = t.input_gradient = t.hidden_gradient;
  if (options.split_backward) {
    t.residual_gradient = b.activation("residual.gradient", elements);
    t.input_gradient = b.port("input_gradient", TensorRole::kInputGradient, elements, options.compute_bytes);
  }
  attention_forward(b, t);
  if (kind == LayerKind::kExperts) {
    experts_branch_forward(b, t);
  } else {
    mlp_branch_forward(b, t);
  }
  b.in_backward();
  if (config.parallel_residual) {
    parallel_backward(b, t);
  } else {
    serial_backward(b, t);
  }
  return b.finish();
}

}  // namespace portolan
