#include "model/layer_parts.h"

namespace portolan {

void mlp_forward(BlockBuilder& b, LayerTensors& t) {
  const TransformerConfig& c = b.config();
  const std::int64_t ffn = c.ffn_size / b.options().tensor_parallel;
  const bool swiglu = c.activation == Activation::kSwiGlu;
  b.in_forward(KernelGroup::kNorm2);
  t.norm2 = b.norm_forward("norm2", t.residual);
  b.in_forward(KernelGroup::kMlp);
  t.fc1 = b.linear_parameters(
      {.name = "fc1", .out = swiglu ? 2 * ffn : ffn, .in = c.hidden_size, .bias = c.linear_bias});
  t.fc1_output = b.activation("fc1.output", b.rows() * t.fc1.out);
  b.linear_forward(t.fc1, t.fc1_output, b.whole_rows("norm2.gathered", t.norm2.output), true);
  t.activated = b.activation("activation.output", b.rows() * ffn);
  b.launch({.kind = swiglu ? KernelKind::kSwiGluForward : KernelKind::kGeluForward,
            .operands = {{t.activated, Access::kWrite}, {t.fc1_output, Access::kRead}},
            .shape = {.rows = b.rows(), .columns = ffn},
            .flops_per_element = swiglu ? 5.0 : 8.0});
  t.fc2 = b.linear_parameters(
      {.name = "fc2", .out = c.hidden_size, .in = ffn, .bias = c.linear_bias, .residual_projection = true});
  const int part = b.part_of("fc2.part", t.output);
  b.linear_forward(t.fc2, part, t.activated, false);
  b.sum_parts(part, t.output);
  t.fc2_mask = residual_add(b, "fc2", t.output, t.residual, t.fc2);
}

void mlp_backward(BlockBuilder& b, const LayerTensors& t) {
  const std::int64_t ffn = t.fc2.in;
  const bool swiglu = b.config().activation == Activation::kSwiGlu;
  const int output_gradient = branch_gradient(b, "fc2", t.hidden_gradient, t.fc2_mask);
  const int activated_gradient = b.activation("activation.gradient", b.rows() * ffn);
  b.row_parallel_backward("fc2", t.fc2, output_gradient, t.activated, activated_gradient);
  int fc1_gradient = activated_gradient;
  if (swiglu) {
    fc1_gradient = b.activation("fc1.gradient", b.rows() * t.fc1.out);
    b.launch({.kind = KernelKind::kSwiGluBackward,
              .operands = {{fc1_gradient, Access::kWrite},
                           {activated_gradient, Access::kRead},
                           {t.fc1_output, Access::kRead}},
              .shape = {.rows = b.rows(), .columns = ffn},
              .flops_per_element = 5});
  } else {
    b.launch({.kind = KernelKind::kGeluBackward,
              .operands = {{activated_gradient, Access::kUpdate}, {t.fc1_output, Access::kRead}},
              .shape = {.rows = b.rows(), .columns = ffn},
              .flops_per_element = 14});
  }
  const int norm2_gradient = b.column_parallel_backward("norm2", t.fc1, fc1_gradient, t.norm2.output);
  add_norm_backward(b, t.norm2, t.residual, norm2_gradient, {t.hidden_gradient, t.residual_gradient});
}

}  // namespace portolan
