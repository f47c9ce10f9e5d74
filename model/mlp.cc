#include "model/layer_parts.h"

namespace portolan {

namespace {

bool is_gated(const BlockBuilder& b) { return b.config().activation == Activation::kSwiGlu; }

KernelKind forward_kind(Activation activation) {
  switch (activation) {
    case Activation::kGelu:
      return KernelKind::kGeluForward;
    case Activation::kSwiGlu:
      return KernelKind::kSwiGluForward;
    case Activation::kRelu:
      break;
  }
  return KernelKind::kReluForward;
}

double forward_flops(Activation activation) {
  switch (activation) {
    case Activation::kGelu:
      return 8;
    case Activation::kSwiGlu:
      return 5;
    case Activation::kRelu:
      break;
  }
  return 1;
}

}  // namespace

ActivatedTensors activation_forward(BlockBuilder& b, const std::string& name, const MlpSizes& sizes,
                                    int input) {
  const Activation activation = b.config().activation;
  const int output = b.activation(name + "activation.output", sizes.rows * sizes.ffn);
  if (is_gated(b) && !b.options().fused_activation) {
    // Each reads one half of the input.
    const int silu = b.activation(name + "silu.output", sizes.rows * sizes.ffn);
    const std::int64_t pass = sizes.rows * sizes.ffn * b.options().compute_bytes;
    b.elementwise({{silu, Access::kWrite}, {input, Access::kRead}}, Bytes(2 * pass));
    b.elementwise({{output, Access::kWrite}, {silu, Access::kRead}, {input, Access::kRead}}, Bytes(3 * pass));
    return {.output = output, .silu = silu};
  }
  b.launch({.kind = forward_kind(activation),
            .operands = {{output, Access::kWrite}, {input, Access::kRead}},
            .shape = {.rows = sizes.rows, .columns = sizes.ffn},
            .flops_per_element = forward_flops(activation)});
  return {.output = output, .silu = {}};
}

/// To the plain half, to the activated half, and on through the activation; halves of one tensor.
void eager_swiglu_backward(BlockBuilder& b, const std::string& name, const ActivationTensors& t,
                           int gradient) {
  const int silu_gradient = b.activation(name + "silu.gradient", b.elements_of(*t.made.silu));
  const Bytes passes(3 * b.elements_of(*t.made.silu) * b.options().compute_bytes);
  b.elementwise(
      {{gradient, Access::kWrite}, {t.output_gradient, Access::kRead}, {*t.made.silu, Access::kRead}},
      passes);
  b.elementwise(
      {{silu_gradient, Access::kWrite}, {t.output_gradient, Access::kRead}, {t.input, Access::kRead}},
      passes);
  b.elementwise({{gradient, Access::kUpdate}, {silu_gradient, Access::kRead}, {t.input, Access::kRead}},
                passes);
}

int activation_backward(BlockBuilder& b, const std::string& name, const MlpSizes& sizes,
                        const ActivationTensors& t) {
  const KernelShape shape{.rows = sizes.rows, .columns = sizes.ffn};
  if (is_gated(b)) {
    const int gradient = b.activation(name + "fc1.gradient", sizes.rows * 2 * sizes.ffn);
    if (t.made.silu) {
      eager_swiglu_backward(b, name, t, gradient);
      return gradient;
    }
    b.launch({.kind = KernelKind::kSwiGluBackward,
              .operands = {{gradient, Access::kWrite},
                           {t.output_gradient, Access::kRead},
                           {t.input, Access::kRead}},
              .shape = shape,
              .flops_per_element = 5});
    return gradient;
  }
  // What ReLU let pass shows in its output, which the next product keeps anyway.
  const bool relu = b.config().activation == Activation::kRelu;
  b.launch(
      {.kind = relu ? KernelKind::kReluBackward : KernelKind::kGeluBackward,
       .operands = {{t.output_gradient, Access::kUpdate}, {relu ? t.made.output : t.input, Access::kRead}},
       .shape = shape,
       .flops_per_element = relu ? 1.0 : 14.0});
  return t.output_gradient;
}

MlpTensors mlp_forward(BlockBuilder& b, const std::string& name, std::int64_t ffn_size, int input) {
  const TransformerConfig& c = b.config();
  const std::int64_t ffn = ffn_size / b.options().tensor_parallel;
  MlpTensors t;
  t.fc1 = b.linear_parameters(
      {.name = name + "fc1", .out = is_gated(b) ? 2 * ffn : ffn, .in = c.hidden_size, .bias = c.linear_bias});
  t.fc1_output = b.activation(name + "fc1.output", b.rows() * t.fc1.out);
  // Without a fused kernel the bias is a pass of its own before the activation, as in Megatron-LM without
  // --bias-gelu-fusion.
  const bool bias_apart = !b.options().fused_activation && !is_gated(b) && t.fc1.bias;
  b.linear_forward(t.fc1, t.fc1_output, input, !bias_apart);
  if (bias_apart) {
    b.elementwise({{t.fc1_output, Access::kUpdate}, {t.fc1.bias->value, Access::kRead}});
  }
  t.activated = activation_forward(b, name, {.rows = b.rows(), .ffn = ffn}, t.fc1_output);
  t.fc2 = b.linear_parameters({.name = name + "fc2",
                               .out = c.hidden_size,
                               .in = ffn,
                               .bias = c.linear_bias,
                               .residual_projection = true});
  return t;
}

int mlp_backward(BlockBuilder& b, const std::string& name, const MlpTensors& t,
                 const HiddenGradient& output) {
  const MlpSizes sizes{.rows = b.rows(), .ffn = t.fc2.in};
  const int activated_gradient = b.activation(name + "activation.gradient", sizes.rows * sizes.ffn);
  b.row_parallel_backward(t.fc2, output, t.activated.output, activated_gradient);
  return activation_backward(
      b, name, sizes, {.input = t.fc1_output, .made = t.activated, .output_gradient = activated_gradient});
}

void mlp_branch_forward(BlockBuilder& b, LayerTensors& t) {
  b.in_forward(KernelGroup::kNorm2);
  t.norm2 = b.norm_forward({.name = "norm2"}, t.residual);
  b.in_forward(KernelGroup::kMlp);
  t.mlp = mlp_forward(b, "", b.config().ffn_size, b.whole_rows("norm2.gathered", t.norm2.output));
  if (b.config().parallel_residual) {
    branch_sum(b, t);
    return;
  }
  const int part = b.part_of("fc2.part", t.output);
  b.linear_forward(t.mlp.fc2, part, t.mlp.activated.output, false);
  b.sum_parts(part, t.output);
  t.output_mask = residual_add(b, "fc2", t.output, t.residual, t.mlp.fc2.bias);
}

int mlp_branch_backward(BlockBuilder& b, const LayerTensors& t, const HiddenGradient& output) {
  const int fc1_gradient = mlp_backward(b, "", t.mlp, output);
  return b.column_parallel_backward("norm2", t.mlp.fc1, fc1_gradient, t.norm2.output);
}

}  // namespace portolan
