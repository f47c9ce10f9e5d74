// What eager PyTorch runs where a framework has no fused kernel: one kernel for each tensor operation, each
// reading its inputs from memory and writing its result there, widened to fp32 where the reference code says
// so. Kernels are counted from that code, never from a measured time.
#include "model/block_builder.h"

namespace portolan {

void BlockBuilder::elementwise(std::vector<Operand> operands, std::optional<Bytes> bytes) {
  const std::int64_t elements = block_.tensors[static_cast<std::size_t>(operands.front().tensor)].elements;
  launch({.kind = KernelKind::kElementwise,
          .operands = std::move(operands),
          .shape = {.rows = elements},
          .bytes = bytes});
}

/// RMS norm as LLaMA's reference code has it: x.float(), its square, the mean, x times the root's inverse,
/// back to the narrow type, times the gain. The wide copy and the narrow result are kept for backward.
/// Source: meta-llama/llama, RMSNorm in llama/model.py.
NormTensors BlockBuilder::eager_rms_norm_forward(const NormSpec& spec, int input) {
  const std::string& name = spec.name;
  const std::int64_t columns = columns_of(spec);
  const std::int64_t elements = hidden_rows() * columns;
  NormTensors norm;
  norm.columns = columns;
  norm.gain = parameter({.name = name + ".gain",
                         .elements = columns,
                         .init = ParameterInit::kOnes,
                         .partial_gradient = shards_sequence()});
  norm.rstd = activation(name + ".rstd", hidden_rows(), 4);
  norm.wide = activation(name + ".wide", elements, 4);
  norm.narrow = activation(name + ".narrow", elements);
  norm.output = spec.output ? *spec.output : activation(name + ".output", elements);
  const int square = activation(name + ".square", elements, 4);
  const int normalized = activation(name + ".normalized", elements, 4);
  elementwise({{*norm.wide, Access::kWrite}, {input, Access::kRead}});
  elementwise({{square, Access::kWrite}, {*norm.wide, Access::kRead}});
  elementwise({{norm.rstd, Access::kWrite}, {square, Access::kRead}});
  elementwise({{normalized, Access::kWrite}, {*norm.wide, Access::kRead}, {norm.rstd, Access::kRead}});
  elementwise({{*norm.narrow, Access::kWrite}, {normalized, Access::kRead}});
  elementwise(
      {{norm.output, Access::kWrite}, {*norm.narrow, Access::kRead}, {norm.gain.value, Access::kRead}});
  return norm;
}

/// Its gradient as autograd goes back through these operations. The power's derivative is a power, a product
/// with the exponent and one with the gradient.
void BlockBuilder::eager_rms_norm_backward(const NormTensors& norm, int output_gradient,
                                           Operand input_gradient) {
  const std::string name = block_.tensors[static_cast<std::size_t>(norm.output)].name;
  const std::int64_t elements = hidden_rows() * norm.columns;
  const int product = activation(name + ".product", elements);
  const int narrow = activation(name + ".narrow_gradient", elements);
  const int normalized = activation(name + ".normalized_gradient", elements, 4);
  const int wide = activation(name + ".wide_gradient", elements, 4);
  const int rstd = activation(name + ".rstd_gradient", hidden_rows(), 4);
  const int square = activation(name + ".square_gradient", elements, 4);
  const int power = activation(name + ".power", elements, 4);
  // Of the gain: a product, then its sum over the rows.
  elementwise({{product, Access::kWrite}, {output_gradient, Access::kRead}, {*norm.narrow, Access::kRead}});
  elementwise({{norm.gain.gradient, gradient_access()}, {product, Access::kRead}});
  elementwise({{narrow, Access::kWrite}, {output_gradient, Access::kRead}, {norm.gain.value, Access::kRead}});
  elementwise({{normalized, Access::kWrite}, {narrow, Access::kRead}});
  // x times the inverse root, to both.
  elementwise({{wide, Access::kWrite}, {normalized, Access::kRead}, {norm.rstd, Access::kRead}});
  elementwise({{normalized, Access::kUpdate}, {*norm.wide, Access::kRead}});
  elementwise({{rstd, Access::kWrite}, {normalized, Access::kRead}});
  // The mean spreads its gradient over the row; then the square.
  elementwise({{square, Access::kWrite}, {rstd, Access::kRead}});
  elementwise({{power, Access::kWrite}, {*norm.wide, Access::kRead}});
  elementwise({{power, Access::kUpdate}});
  elementwise({{square, Access::kUpdate}, {power, Access::kRead}});
  // Both ways to x, then back to the narrow type.
  elementwise({{wide, Access::kUpdate}, {square, Access::kRead}});
  elementwise({input_gradient, {wide, Access::kRead}});
}

}  // namespace portolan
