#include "model/block.h"
#include "model/layer_parts.h"

namespace portolan {

std::optional<int> residual_add(BlockBuilder& b, const std::string& name, int y, int x,
                                const LinearTensors& linear) {
  std::vector<Operand> operands{{y, Access::kUpdate}, {x, Access::kRead}};
  if (linear.bias) {
    operands.push_back({linear.bias->value, Access::kRead});
  }
  std::optional<int> mask;
  if (b.options().dropout) {
    mask = b.activation(name + ".dropout_mask", b.hidden_rows() * b.config().hidden_size, 1);
    operands.push_back({*mask, Access::kWrite});
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

Block layer_block(const TransformerConfig& config, const BlockOptions& options) {
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
  mlp_forward(b, t);
  b.in_backward();
  mlp_backward(b, t);
  attention_backward(b, t);
  return b.finish();
}

}  // namespace portolan
