#include "reference_kernel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>
#include <vector>

#include "kernels/reference/activation.h"
#include "kernels/reference/attention.h"
#include "kernels/reference/cross_entropy.h"
#include "kernels/reference/embedding.h"
#include "kernels/reference/linear.h"
#include "kernels/reference/normalization.h"
#include "kernels/reference/residual.h"
#include "reference_variants.h"

namespace portolan {

namespace {

/// One operand; an optional one that the kernel does not have is a null pointer.
struct Argument {
  ReferenceBuffer* buffer = nullptr;

  operator double*() const { return buffer != nullptr ? buffer->numbers.data() : nullptr; }
  operator const std::int32_t*() const { return buffer->tokens.data(); }
};

/// A kernel and its operands, which each function below names in the words of model/kernel.cc.
struct Call {
  const Kernel& kernel;
  std::span<ReferenceBuffer* const> operands;

  const KernelShape& shape() const { return kernel.shape; }
  std::int64_t elements() const { return kernel.shape.rows * kernel.shape.columns; }
  bool overwrites_first() const { return kernel.operands.front().access == Access::kWrite; }

  /// All N operands, of which the last `num_optional` may be missing.
  template <std::size_t N>
  std::array<Argument, N> unpack(std::size_t num_optional = 0) const {
    EXPECT_TRUE(operands.size() <= N && operands.size() + num_optional >= N)
        << kernel_name(kernel.kind) << " has " << operands.size() << " operands";
    std::array<Argument, N> arguments;
    for (std::size_t i = 0; i < std::min(N, operands.size()); ++i) {
      arguments[i].buffer = operands[i];
    }
    return arguments;
  }

  operands::InputGradient input_gradient() const {
    return overwrites_first() ? operands::InputGradient::kOverwrite : operands::InputGradient::kAccumulate;
  }
  operands::AttentionShape attention() const {
    const KernelShape& s = kernel.shape;
    return {.batch = s.batch,
            .sequence = s.sequence,
            .heads = s.heads,
            .kv_heads = s.kv_heads,
            .head_dim = s.head_dim};
  }
};

void embedding_forward(const Call& call) {
  const auto [x, tokens, word, position] = call.unpack<4>(1);
  reference::embedding_forward<double>({.rows = call.shape().rows,
                                        .sequence = call.shape().sequence,
                                        .columns = call.shape().columns,
                                        .tokens = tokens,
                                        .word = word,
                                        .position = position,
                                        .x = x});
}

void embedding_backward(const Call& call) {
  const auto [dword, dx, tokens, dposition] = call.unpack<4>(1);
  reference::embedding_backward<double>({.rows = call.shape().rows,
                                         .sequence = call.shape().sequence,
                                         .columns = call.shape().columns,
                                         .tokens = tokens,
                                         .dx = dx,
                                         .dword = dword,
                                         .dposition = dposition});
}

void layernorm_forward(const Call& call) {
  const auto [y, mean, rstd, x, gain, bias] = call.unpack<6>();
  reference::layernorm_forward<double>({.rows = call.shape().rows,
                                        .columns = call.shape().columns,
                                        .epsilon = call.kernel.scalar,
                                        .x = x,
                                        .gamma = gain,
                                        .beta = bias,
                                        .y = y,
                                        .mean = mean,
                                        .rstd = rstd});
}

void layernorm_backward(const Call& call) {
  const auto [dx, dgain, dbias, dy, x, mean, rstd, gain] = call.unpack<8>();
  reference::layernorm_backward<double>({.rows = call.shape().rows,
                                         .columns = call.shape().columns,
                                         .input_gradient = call.input_gradient(),
                                         .dy = dy,
                                         .x = x,
                                         .gamma = gain,
                                         .mean = mean,
                                         .rstd = rstd,
                                         .dx = dx,
                                         .dgamma = dgain,
                                         .dbeta = dbias});
}

void rmsnorm_forward(const Call& call) {
  const auto [y, rstd, x, gain] = call.unpack<4>();
  reference::rmsnorm_forward<double>({.rows = call.shape().rows,
                                      .columns = call.shape().columns,
                                      .epsilon = call.kernel.scalar,
                                      .x = x,
                                      .gamma = gain,
                                      .y = y,
                                      .rstd = rstd});
}

void rmsnorm_backward(const Call& call) {
  const auto [dx, dgain, dy, x, rstd, gain] = call.unpack<6>();
  reference::rmsnorm_backward<double>({.rows = call.shape().rows,
                                       .columns = call.shape().columns,
                                       .input_gradient = call.input_gradient(),
                                       .dy = dy,
                                       .x = x,
                                       .gamma = gain,
                                       .rstd = rstd,
                                       .dx = dx,
                                       .dgamma = dgain});
}

void linear_forward(const Call& call) {
  const auto [y, x, weight, bias] = call.unpack<4>(1);
  reference::linear_forward<double>({.rows = call.shape().rows,
                                     .in_features = call.shape().inner,
                                     .out_features = call.shape().columns,
                                     .x = x,
                                     .weight = weight,
                                     .bias = bias,
                                     .y = y});
}

void linear_backward_input(const Call& call) {
  const auto [dx, dy, weight] = call.unpack<3>();
  reference::linear_backward_input<double>({.rows = call.shape().rows,
                                            .in_features = call.shape().inner,
                                            .out_features = call.shape().columns,
                                            .dy = dy,
                                            .weight = weight,
                                            .dx = dx});
}

void linear_backward_weight(const Call& call) {
  const auto [dweight, dy, x] = call.unpack<3>();
  if (call.overwrites_first()) {  // a gradient of its own, which gradient_convert adds later
    std::ranges::fill(dweight.buffer->numbers, 0.0);
  }
  reference::linear_backward_weight<double>({.rows = call.shape().rows,
                                             .in_features = call.shape().inner,
                                             .out_features = call.shape().columns,
                                             .dy = dy,
                                             .x = x,
                                             .dweight = dweight});
}

void bias_backward(const Call& call) {
  const auto [dbias, dy] = call.unpack<2>();
  reference::bias_backward<double>(
      {.rows = call.shape().rows, .columns = call.shape().columns, .dy = dy, .dbias = dbias});
}

void rotate(const Call& call, Turn turn) {
  const auto [rows] = call.unpack<1>();
  std::vector<double> qkv = with_values(call.attention(), rows.buffer->numbers);
  const std::int64_t columns = call.shape().columns == 0 ? call.shape().head_dim : call.shape().columns;
  rotate_part(call.attention(), columns, call.kernel.scalar, turn, qkv);
  copy_back(call.attention(), qkv, rows.buffer->numbers);
}

void rotary_forward(const Call& call) { rotate(call, Turn::kForward); }

void rotary_backward(const Call& call) { rotate(call, Turn::kBackward); }

void attention_scores_forward(const Call& call) {
  const auto [scores, rows] = call.unpack<2>();
  const std::vector<double> qkv = with_values(call.attention(), rows.buffer->numbers);
  reference::attention_scores_forward<double>(
      {.shape = call.attention(), .qkv = qkv.data(), .scores = scores});
}

void attention_scores_backward(const Call& call) {
  const auto [dqkv, dscores, rows] = call.unpack<3>();
  const std::vector<double> qkv = with_values(call.attention(), rows.buffer->numbers);
  reference::attention_scores_backward<double>(
      {.shape = call.attention(), .qkv = qkv.data(), .dscores = dscores, .dqkv = dqkv});
}

void attention_softmax_forward(const Call& call) {
  const auto [scores] = call.unpack<1>();
  if (call.kernel.scalar != 0) {
    add_alibi(call.attention(), call.kernel.scalar, scores.buffer->numbers);
  }
  reference::attention_softmax_forward<double>({.shape = call.attention(), .scores = scores});
}

void attention_softmax_backward(const Call& call) {
  const auto [dprobabilities, probabilities] = call.unpack<2>();
  reference::attention_softmax_backward<double>(
      {.shape = call.attention(), .probabilities = probabilities, .dprobabilities = dprobabilities});
}

void attention_context_forward(const Call& call) {
  const auto [context, probabilities, qkv] = call.unpack<3>();
  reference::attention_context_forward<double>(
      {.shape = call.attention(), .probabilities = probabilities, .qkv = qkv, .context = context});
}

void attention_context_backward(const Call& call) {
  const auto [dprobabilities, dqkv, dcontext, probabilities, qkv] = call.unpack<5>();
  reference::attention_context_backward<double>({.shape = call.attention(),
                                                 .probabilities = probabilities,
                                                 .qkv = qkv,
                                                 .dcontext = dcontext,
                                                 .dprobabilities = dprobabilities,
                                                 .dqkv = dqkv});
}

void gelu_forward(const Call& call) {
  const auto [y, x] = call.unpack<2>();
  reference::gelu_forward<double>({.count = call.elements(), .u = x, .y = y});
}

void gelu_backward(const Call& call) {
  const auto [dy_to_dx, x] = call.unpack<2>();
  reference::gelu_backward<double>({.count = call.elements(), .u = x, .gradient = dy_to_dx});
}

void swiglu_forward(const Call& call) {
  const auto [y, x] = call.unpack<2>();
  reference::swiglu_forward<double>(
      {.rows = call.shape().rows, .features = call.shape().columns, .u = x, .g = y});
}

void swiglu_backward(const Call& call) {
  const auto [dx, dy, x] = call.unpack<3>();
  reference::swiglu_backward<double>(
      {.rows = call.shape().rows, .features = call.shape().columns, .u = x, .dg = dy, .du = dx});
}

void relu_forward(const Call& call) {
  const auto [y, x] = call.unpack<2>();
  std::ranges::transform(x.buffer->numbers, y.buffer->numbers.begin(),
                         [](double value) { return std::max(value, 0.0); });
}

void relu_backward(const Call& call) {
  const auto [dy_to_dx, y] = call.unpack<2>();
  std::ranges::transform(dy_to_dx.buffer->numbers, y.buffer->numbers, dy_to_dx.buffer->numbers.begin(),
                         [](double gradient, double value) { return value > 0 ? gradient : 0.0; });
}

void branch_sum(const Call& call) {
  const auto [sum, attention, mlp, attention_bias, mlp_bias] = call.unpack<5>(2);
  std::ranges::fill(sum.buffer->numbers, 0.0);
  for (const auto& [x, bias] : {std::pair{attention, attention_bias}, {mlp, mlp_bias}}) {
    reference::residual_add<double>(
        {.rows = call.shape().rows, .columns = call.shape().columns, .x = x, .bias = bias, .y = sum});
  }
}

void query_key_norm_forward(const Call& call) {
  const auto [qk, rstd, qkv, query_gain, key_gain] = call.unpack<5>();
  head_norm_forward({.kernel = call.kernel,
                     .qkv = qkv.buffer->numbers,
                     .query_gain = query_gain.buffer->numbers,
                     .key_gain = key_gain.buffer->numbers},
                    qk.buffer->numbers, rstd.buffer->numbers);
}

void query_key_norm_backward(const Call& call) {
  const auto [dqkv, dquery_gain, dkey_gain, qkv, rstd, query_gain, key_gain] = call.unpack<7>();
  head_norm_backward({.kernel = call.kernel,
                      .qkv = qkv.buffer->numbers,
                      .query_gain = query_gain.buffer->numbers,
                      .key_gain = key_gain.buffer->numbers},
                     rstd.buffer->numbers,
                     {.dqkv = dqkv.buffer->numbers,
                      .dquery_gain = dquery_gain.buffer->numbers,
                      .dkey_gain = dkey_gain.buffer->numbers});
}

void residual_add(const Call& call) {
  const auto [y, x, bias] = call.unpack<3>(1);
  reference::residual_add<double>(
      {.rows = call.shape().rows, .columns = call.shape().columns, .x = x, .bias = bias, .y = y});
}

void cross_entropy_forward(const Call& call) {
  const auto [logits, loss, targets] = call.unpack<3>();
  reference::cross_entropy_forward<double>({.rows = call.shape().rows,
                                            .vocabulary = call.shape().columns,
                                            .targets = targets,
                                            .logits = logits,
                                            .loss_sum = loss});
}

void cross_entropy_backward(const Call& call) {
  const auto [probabilities, targets] = call.unpack<2>();
  reference::cross_entropy_backward<double>({.rows = call.shape().rows,
                                             .vocabulary = call.shape().columns,
                                             .scale = call.kernel.scalar,
                                             .targets = targets,
                                             .probabilities = probabilities});
}

void gradient_convert(const Call& call) {
  const auto [dweight, narrow] = call.unpack<2>();
  reference::accumulate<double>(dweight, narrow, call.elements());
}

void fill_zero(const Call& call) {
  const auto [x] = call.unpack<1>();
  std::ranges::fill(x.buffer->numbers, 0.0);
}

struct Entry {
  KernelKind kind;
  void (*run)(const Call&);
};

constexpr Entry kTable[] = {
    {KernelKind::kEmbeddingForward, embedding_forward},
    {KernelKind::kEmbeddingBackward, embedding_backward},
    {KernelKind::kLayerNormForward, layernorm_forward},
    {KernelKind::kLayerNormBackward, layernorm_backward},
    {KernelKind::kRmsNormForward, rmsnorm_forward},
    {KernelKind::kRmsNormBackward, rmsnorm_backward},
    {KernelKind::kLinearForward, linear_forward},
    {KernelKind::kLinearBackwardInput, linear_backward_input},
    {KernelKind::kLinearBackwardWeight, linear_backward_weight},
    {KernelKind::kBiasBackward, bias_backward},
    {KernelKind::kRotaryForward, rotary_forward},
    {KernelKind::kRotaryBackward, rotary_backward},
    {KernelKind::kAttentionScoresForward, attention_scores_forward},
    {KernelKind::kAttentionScoresBackward, attention_scores_backward},
    {KernelKind::kAttentionSoftmaxForward, attention_softmax_forward},
    {KernelKind::kAttentionSoftmaxBackward, attention_softmax_backward},
    {KernelKind::kAttentionContextForward, attention_context_forward},
    {KernelKind::kAttentionContextBackward, attention_context_backward},
    {KernelKind::kGeluForward, gelu_forward},
    {KernelKind::kGeluBackward, gelu_backward},
    {KernelKind::kSwiGluForward, swiglu_forward},
    {KernelKind::kSwiGluBackward, swiglu_backward},
    {KernelKind::kReluForward, relu_forward},
    {KernelKind::kReluBackward, relu_backward},
    {KernelKind::kBranchSum, branch_sum},
    {KernelKind::kQueryKeyNormForward, query_key_norm_forward},
    {KernelKind::kQueryKeyNormBackward, query_key_norm_backward},
    {KernelKind::kResidualAdd, residual_add},
    {KernelKind::kCrossEntropyForward, cross_entropy_forward},
    {KernelKind::kCrossEntropyBackward, cross_entropy_backward},
    {KernelKind::kGradientConvert, gradient_convert},
    {KernelKind::kFillZero, fill_zero},
};

}  // namespace

void run_reference_kernel(const Kernel& kernel, std::span<ReferenceBuffer* const> operands) {
  const Entry* const entry =
      std::ranges::find_if(kTable, [&](const Entry& e) { return e.kind == kernel.kind; });
  ASSERT_NE(entry, std::end(kTable)) << kernel_name(kernel.kind);
  entry->run({.kernel = kernel, .operands = operands});
}

}  // namespace portolan
