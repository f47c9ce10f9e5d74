#include "model/block_builder.h"

#include <cassert>
#include <cmath>
#include <utility>

namespace portolan {

BlockBuilder::BlockBuilder(std::string name, const TransformerConfig& config, const BlockOptions& options)
    : config_(config), options_(options) {
  block_.name = std::move(name);
}

int BlockBuilder::add(Tensor tensor) {
  block_.tensors.push_back(std::move(tensor));
  return static_cast<int>(block_.tensors.size()) - 1;
}

int BlockBuilder::activation(std::string name, std::int64_t elements) {
  return activation(std::move(name), elements, options_.compute_bytes);
}

int BlockBuilder::activation(std::string name, std::int64_t elements, std::int64_t element_bytes) {
  return add({.name = std::move(name), .elements = elements, .element_bytes = element_bytes});
}

int BlockBuilder::port(std::string name, TensorRole role, std::int64_t elements, std::int64_t element_bytes) {
  return add({.name = std::move(name), .role = role, .elements = elements, .element_bytes = element_bytes});
}

ParameterPair BlockBuilder::parameter(Tensor tensor) {
  tensor.role = TensorRole::kParameter;
  tensor.element_bytes = options_.compute_bytes;
  Tensor gradient{.name = tensor.name + ".gradient",
                  .role = TensorRole::kGradient,
                  .elements = tensor.elements,
                  .element_bytes = options_.gradient_bytes,
                  .tied_to_embedding = tensor.tied_to_embedding};
  const int value = add(std::move(tensor));
  return {.value = value, .gradient = add(std::move(gradient))};
}

ParameterPair BlockBuilder::matrix(Tensor tensor) {
  Tensor narrow{.name = tensor.name + ".narrow_gradient",
                .role = TensorRole::kNarrowGradient,
                .elements = tensor.elements,
                .element_bytes = options_.compute_bytes,
                .tied_to_embedding = tensor.tied_to_embedding};
  ParameterPair made = parameter(std::move(tensor));
  if (options_.keeps_narrow_gradients()) {
    made.narrow_gradient = add(std::move(narrow));
  }
  return made;
}

void BlockBuilder::in_forward(KernelGroup group) {
  group_ = group;
  backward_ = false;
}

void BlockBuilder::in_backward() {
  group_ = KernelGroup::kOther;
  backward_ = true;
}

void BlockBuilder::launch(Launch launch) {
  const auto tensor_of = [&](const Operand& operand) -> const Tensor& {
    return block_.tensors[static_cast<std::size_t>(operand.tensor)];
  };
  Kernel kernel{.kind = launch.kind,
                .shape = launch.shape,
                .flops = {},
                .bytes = {},
                .operands = {},
                .scalar = launch.scalar};
  if (launch.flops) {
    kernel.flops = *launch.flops;
  } else if (is_gemm(launch.kind)) {
    const KernelShape& s = launch.shape;
    kernel.flops = Flops(2.0 * static_cast<double>(s.gemm_batch) * static_cast<double>(s.gemm_m) *
                         static_cast<double>(s.gemm_n) * static_cast<double>(s.gemm_k));
  } else {
    kernel.flops =
        Flops(launch.flops_per_element * static_cast<double>(tensor_of(launch.operands.front()).elements));
  }
  for (const Operand& operand : launch.operands) {
    const std::int64_t times = operand.access == Access::kUpdate ? 2 : 1;
    kernel.bytes += tensor_of(operand).bytes() * times;
  }
  if (launch.bytes) {
    kernel.bytes = *launch.bytes;
  }
  for (const Operand& operand : launch.operands) {
    if (operand.access != Access::kRead) {
      fp8_copies_.erase(operand.tensor);
    }
  }
  kernel.operands = std::move(launch.operands);
  list().push_back({.kernel = std::move(kernel), .group = group_});
}

Bytes BlockBuilder::hidden_bytes() const {
  return Bytes(rows() * config_.hidden_size * options_.compute_bytes);
}

void BlockBuilder::tensor_all_reduce(int tensor, Bytes payload, Overlap overlap) {
  if (options_.tensor_parallel == 1) {
    return;
  }
  launch({.kind = KernelKind::kTensorAllReduce,
          .operands = {{tensor, Access::kUpdate}},
          .flops_per_element = 0,
          .bytes = payload});
  list().back().overlapped = overlap == Overlap::kWithCompute;
}

void BlockBuilder::context_shift(int received, int sent, Overlap overlap) {
  launch({.kind = KernelKind::kContextShift,
          .operands = {{received, Access::kWrite}, {sent, Access::kRead}},
          .flops_per_element = 0,
          .bytes = Bytes(elements_of(sent) * options_.compute_bytes)});
  list().back().overlapped = overlap == Overlap::kWithCompute;
}

int BlockBuilder::whole_rows(const std::string& name, int held, Overlap overlap) {
  if (!shards_sequence()) {
    return held;
  }
  const int whole = activation(name, elements_of(held) * row_shards());
  gathered_.insert(whole);
  launch({.kind = KernelKind::kTensorAllGather,
          .operands = {{whole, Access::kWrite}, {held, Access::kRead}},
          .flops_per_element = 0,
          .bytes = bytes_of(whole)});
  list().back().overlapped = overlap == Overlap::kWithCompute;
  return whole;
}

int BlockBuilder::part_of(const std::string& name, int sum) {
  return shards_sequence() ? activation(name, elements_of(sum) * row_shards()) : sum;
}

void BlockBuilder::sum_parts(int part, int sum, Overlap overlap) {
  if (!shards_sequence()) {
    tensor_all_reduce(sum, bytes_of(sum), overlap);
    return;
  }
  launch({.kind = KernelKind::kTensorReduceScatter,
          .operands = {{sum, Access::kWrite}, {part, Access::kRead}},
          .flops_per_element = 0,
          .bytes = bytes_of(part)});
  list().back().overlapped = overlap == Overlap::kWithCompute;
}

NormTensors BlockBuilder::norm_forward(const NormSpec& spec, int input) {
  if (eager_norms()) {
    return eager_rms_norm_forward(spec, input);
  }
  const std::string& name = spec.name;
  const std::int64_t h = columns_of(spec);
  const bool layernorm = config_.normalization == Normalization::kLayerNorm;
  NormTensors norm;
  norm.columns = h;
  norm.gain = parameter({.name = name + ".gain",
                         .elements = h,
                         .init = ParameterInit::kOnes,
                         .partial_gradient = shards_sequence()});
  if (layernorm) {
    norm.bias = parameter({.name = name + ".bias",
                           .elements = h,
                           .init = ParameterInit::kZeros,
                           .partial_gradient = shards_sequence()});
  }
  norm.output = spec.output ? *spec.output : activation(name + ".output", hidden_rows() * h);
  if (layernorm) {
    norm.mean = activation(name + ".mean", hidden_rows(), 4);
  }
  norm.rstd = activation(name + ".rstd", hidden_rows(), 4);
  std::vector<Operand> operands{{norm.output, Access::kWrite}};
  if (layernorm) {
    operands.push_back({*norm.mean, Access::kWrite});
  }
  operands.push_back({norm.rstd, Access::kWrite});
  operands.push_back({input, Access::kRead});
  operands.push_back({norm.gain.value, Access::kRead});
  if (layernorm) {
    operands.push_back({norm.bias->value, Access::kRead});
  }
  launch({.kind = layernorm ? KernelKind::kLayerNormForward : KernelKind::kRmsNormForward,
          .operands = std::move(operands),
          .shape = {.rows = hidden_rows(), .columns = h},
          .scalar = config_.norm_epsilon,
          .flops_per_element = layernorm ? 7.0 : 4.0});
  return norm;
}

void BlockBuilder::norm_backward(const NormTensors& norm, int input, int output_gradient,
                                 Operand input_gradient, std::optional<int> added) {
  const bool adds = added || input_gradient.access == Access::kUpdate;
  if (adds && (eager_norms() || !options_.fused_residual_gradient)) {
    // Autograd adds up the gradients of a tensor with two uses in a kernel of its own.
    const std::string name = block_.tensors[static_cast<std::size_t>(norm.output)].name;
    const int own = activation(name + ".input_gradient", hidden_rows() * norm.columns);
    norm_backward(norm, input, output_gradient, {own, Access::kWrite});
    std::vector<Operand> sum{input_gradient, {own, Access::kRead}};
    if (added) {
      sum.push_back({*added, Access::kRead});
    }
    elementwise(std::move(sum));
    return;
  }
  if (eager_norms()) {
    eager_rms_norm_backward(norm, output_gradient, input_gradient);
    return;
  }
  const bool layernorm = norm.mean.has_value();
  std::vector<Operand> operands{input_gradient, {norm.gain.gradient, gradient_access()}};
  if (layernorm) {
    operands.push_back({norm.bias->gradient, gradient_access()});
  }
  operands.push_back({output_gradient, Access::kRead});
  operands.push_back({input, Access::kRead});
  if (layernorm) {
    operands.push_back({*norm.mean, Access::kRead});
  }
  operands.push_back({norm.rstd, Access::kRead});
  operands.push_back({norm.gain.value, Access::kRead});
  if (added) {
    operands.push_back({*added, Access::kRead});
  }
  launch({.kind = layernorm ? KernelKind::kLayerNormBackward : KernelKind::kRmsNormBackward,
          .operands = std::move(operands),
          .shape = {.rows = hidden_rows(), .columns = norm.columns},
          .flops_per_element = layernorm ? 14.0 : 9.0});
}

LinearTensors BlockBuilder::linear_parameters(const LinearSpec& spec) {
  const double shrink =
      spec.residual_projection ? 1.0 / std::sqrt(2.0 * static_cast<double>(config_.num_layers)) : 1.0;
  LinearTensors linear{.weight = {},
                       .bias = {},
                       .out = spec.out,
                       .in = spec.in,
                       .rows = spec.rows,
                       .experts = spec.experts.value_or(1),
                       .fp8 = options_.fp8_linear && spec.fp8};
  linear.weight =
      matrix({.name = spec.name + ".weight",
              .elements = linear.experts * spec.out * spec.in,
              .init = spec.residual_projection ? ParameterInit::kScaledNormal : ParameterInit::kNormal,
              .init_std = config_.initializer_std * shrink,
              .weight_decay = true,
              .partial_gradient = spec.partial_gradient,
              .expert = spec.experts.has_value(),
              .rows = linear.experts * spec.out});
  if (spec.bias) {
    linear.bias = parameter({.name = spec.name + ".bias",
                             .elements = spec.out,
                             .init = ParameterInit::kZeros,
                             .partial_gradient = spec.residual_projection && shards_sequence()});
  }
  return linear;
}

void BlockBuilder::linear_forward(const LinearTensors& linear, int output, int input, bool add_bias) {
  // Backward multiplies by what was kept of the input, or by what it gathers again.
  const Fp8Use use = gathered_.contains(input) ? Fp8Use::kStraight : Fp8Use::kBoth;
  std::vector<Operand> operands{{output, Access::kWrite},
                                {straight_factor(linear, input, use), Access::kRead},
                                {linear.weight.value, Access::kRead}};
  if (add_bias && linear.bias) {
    operands.push_back({linear.bias->value, Access::kRead});
  }
  launch_product(linear, {.kind = KernelKind::kLinearForward,
                          .operands = std::move(operands),
                          .shape = {.rows = rows_of(linear),
                                    .columns = linear.out,
                                    .inner = linear.in,
                                    .gemm_batch = linear.experts,
                                    .gemm_m = gemm_rows(linear),
                                    .gemm_n = linear.out,
                                    .gemm_k = linear.in}});
}

void BlockBuilder::linear_backward_input(const LinearTensors& linear, int input_gradient,
                                         int output_gradient) {
  const int factor = straight_factor(linear, output_gradient, Fp8Use::kBoth);
  launch_product(linear, {.kind = KernelKind::kLinearBackwardInput,
                          .operands = {{input_gradient, Access::kWrite},
                                       {factor, Access::kRead},
                                       {linear.weight.value, Access::kRead}},
                          .shape = {.rows = rows_of(linear),
                                    .columns = linear.out,
                                    .inner = linear.in,
                                    .gemm_batch = linear.experts,
                                    .gemm_m = gemm_rows(linear),
                                    .gemm_n = linear.in,
                                    .gemm_k = linear.out}});
}

void BlockBuilder::linear_backward_weight(const LinearTensors& linear, int output_gradient, int input) {
  const KernelShape shape{.rows = rows_of(linear),
                          .columns = linear.out,
                          .inner = linear.in,
                          .gemm_batch = linear.experts,
                          .gemm_m = linear.out,
                          .gemm_n = linear.in,
                          .gemm_k = gemm_rows(linear)};
  const Operand of_output{transposed_factor(linear, output_gradient, Fp8Use::kBoth), Access::kRead};
  const Operand of_input{transposed_factor(linear, input, Fp8Use::kTransposed), Access::kRead};
  if (!adds_narrow_gradients()) {
    launch_product(linear, {.kind = KernelKind::kLinearBackwardWeight,
                            .operands = {{linear.weight.gradient, gradient_access()}, of_output, of_input},
                            .shape = shape});
  } else {
    const int narrow = narrow_gradient(linear.weight);
    launch_product(linear, {.kind = KernelKind::kLinearBackwardWeight,
                            .operands = {{narrow, Access::kWrite}, of_output, of_input},
                            .shape = shape});
    add_narrow_gradient(linear.weight, narrow);
  }
}

int BlockBuilder::narrow_gradient(const ParameterPair& matrix) {
  const std::string name = block_.tensors[static_cast<std::size_t>(matrix.value)].name + ".narrow_gradient";
  return matrix.narrow_gradient ? *matrix.narrow_gradient : activation(name, elements_of(matrix.value));
}

void BlockBuilder::add_narrow_gradient(const ParameterPair& matrix, int narrow) {
  const KernelShape shape{.rows = elements_of(narrow), .columns = 1};
  int added = narrow;
  if (matrix.narrow_gradient) {
    const std::string name = block_.tensors[static_cast<std::size_t>(matrix.value)].name;
    added = activation(name + ".wide_gradient", elements_of(narrow), options_.gradient_bytes);
    launch({.kind = KernelKind::kGradientConvert,
            .operands = {{added, Access::kWrite}, {narrow, Access::kRead}},
            .shape = shape});
  }
  launch({.kind = KernelKind::kGradientConvert,
          .operands = {{matrix.gradient, gradient_access()}, {added, Access::kRead}},
          .shape = shape});
}

void BlockBuilder::bias_backward(const LinearTensors& linear, int output_gradient, std::int64_t num_rows) {
  if (linear.bias) {
    launch({.kind = KernelKind::kBiasBackward,
            .operands = {{linear.bias->gradient, gradient_access()}, {output_gradient, Access::kRead}},
            .shape = {.rows = num_rows, .columns = linear.out}});
  }
}

int BlockBuilder::column_parallel_backward(const std::string& name, const LinearTensors& linear,
                                           int output_gradient, int input) {
  const int whole_input = whole_rows(name + ".gathered_again", input, beside_compute());
  const int input_gradient = activation(name + ".gradient", hidden_rows() * linear.in);
  const int part = part_of(name + ".gradient_part", input_gradient);
  linear_backward_input(linear, part, output_gradient);
  sum_parts(part, input_gradient, beside_compute());
  linear_backward_weight(linear, output_gradient, whole_input);
  bias_backward(linear, output_gradient, rows());
  return input_gradient;
}

void BlockBuilder::row_parallel_backward(const LinearTensors& linear, const HiddenGradient& output, int input,
                                         int input_gradient) {
  linear_backward_input(linear, input_gradient, output.whole);
  linear_backward_weight(linear, output.whole, input);
  bias_backward(linear, output.held, hidden_rows());
}

}  // namespace portolan
