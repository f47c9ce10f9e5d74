#include "exec/host/host_kernels.h"

#include <fmt/format.h>

#include <cstring>

#include "kernels/host/activation.h"
#include "kernels/host/adamw.h"
#include "kernels/host/attention.h"
#include "kernels/host/buffer.h"
#include "kernels/host/cross_entropy.h"
#include "kernels/host/embedding.h"
#include "kernels/host/linear.h"
#include "kernels/host/normalization.h"
#include "kernels/host/residual.h"
#include "kernels/host/rotary.h"

namespace portolan {

namespace {

/// Operands by place, as the pointers that the kernels take.
class Arguments {
 public:
  explicit Arguments(const KernelLaunch& launch) : launch_(launch), shape_(launch.kernel.shape) {}

  const KernelShape& shape() const { return shape_; }
  float* f(std::size_t place) const { return reinterpret_cast<float*>(launch_.operands[place]); }
  /// An operand that a kernel may have.
  float* optional(std::size_t place) const { return place < launch_.operands.size() ? f(place) : nullptr; }
  const std::int32_t* tokens(std::size_t place) const {
    return reinterpret_cast<const std::int32_t*>(launch_.operands[place]);
  }
  double* sum(std::size_t place) const { return reinterpret_cast<double*>(launch_.operands[place]); }
  double scalar() const { return launch_.kernel.scalar; }
  std::int64_t elements() const { return shape_.rows * shape_.columns; }
  bool overwrites(std::size_t place) const { return launch_.kernel.operands[place].access == Access::kWrite; }
  operands::InputGradient input_gradient() const {
    return overwrites(0) ? operands::InputGradient::kOverwrite : operands::InputGradient::kAccumulate;
  }
  operands::AttentionShape attention() const {
    return {.batch = shape_.batch,
            .sequence = shape_.sequence,
            .heads = shape_.heads,
            .kv_heads = shape_.kv_heads,
            .head_dim = shape_.head_dim};
  }

 private:
  const KernelLaunch& launch_;
  const KernelShape& shape_;
};

Result<void> check_tokens(const Arguments& a, std::size_t place, std::int64_t vocabulary) {
  const std::int32_t* const tokens = a.tokens(place);
  for (std::int64_t i = 0; i < a.shape().rows; ++i) {
    if (tokens[i] < 0 || tokens[i] >= vocabulary) {
      return bad_input(fmt::format("token {} is not in the model's vocabulary (allowed: 0 to {})", tokens[i],
                                   vocabulary - 1));
    }
  }
  return {};
}

Result<void> run_token_kernel(const KernelLaunch& launch, const Arguments& a) {
  const KernelShape& s = a.shape();
  switch (launch.kernel.kind) {
    case KernelKind::kLoadTokens:
      std::memcpy(launch.operands[0], launch.host_data.data(), launch.host_data.size());
      return {};
    case KernelKind::kEmbeddingForward:
      PORTOLAN_CHECK_OK(check_tokens(a, 1, s.inner));
      host::embedding_forward({.rows = s.rows,
                               .sequence = s.sequence,
                               .columns = s.columns,
                               .tokens = a.tokens(1),
                               .word = a.f(2),
                               .position = a.optional(3),
                               .x = a.f(0)});
      return {};
    case KernelKind::kEmbeddingBackward:
      host::embedding_backward({.rows = s.rows,
                                .sequence = s.sequence,
                                .columns = s.columns,
                                .tokens = a.tokens(2),
                                .dx = a.f(1),
                                .dword = a.f(0),
                                .dposition = a.optional(3)});
      return {};
    case KernelKind::kCrossEntropyForward:
      PORTOLAN_CHECK_OK(check_tokens(a, 2, s.columns));
      host::cross_entropy_forward({.rows = s.rows,
                                   .vocabulary = s.columns,
                                   .targets = a.tokens(2),
                                   .logits = a.f(0),
                                   .loss_sum = a.sum(1)});
      return {};
    default:
      host::cross_entropy_backward({.rows = s.rows,
                                    .vocabulary = s.columns,
                                    .scale = a.scalar(),
                                    .targets = a.tokens(1),
                                    .probabilities = a.f(0)});
      return {};
  }
}

void run_linear_kernel(KernelKind kind, const Arguments& a) {
  const KernelShape& s = a.shape();
  switch (kind) {
    case KernelKind::kLinearForward:
      return host::linear_forward({.rows = s.rows,
                                   .in_features = s.inner,
                                   .out_features = s.columns,
                                   .x = a.f(1),
                                   .weight = a.f(2),
                                   .bias = a.optional(3),
                                   .y = a.f(0)});
    case KernelKind::kLinearBackwardInput:
      return host::linear_backward_input({.rows = s.rows,
                                          .in_features = s.inner,
                                          .out_features = s.columns,
                                          .dy = a.f(1),
                                          .weight = a.f(2),
                                          .dx = a.f(0)});
    case KernelKind::kLinearBackwardWeight:
      if (a.overwrites(0)) {
        host::fill_zero(a.f(0), s.columns * s.inner);
      }
      return host::linear_backward_weight({.rows = s.rows,
                                           .in_features = s.inner,
                                           .out_features = s.columns,
                                           .dy = a.f(1),
                                           .x = a.f(2),
                                           .dweight = a.f(0)});
    default:
      return host::bias_backward({.rows = s.rows, .columns = s.columns, .dy = a.f(1), .dbias = a.f(0)});
  }
}

void run_norm_kernel(KernelKind kind, const Arguments& a) {
  const KernelShape& s = a.shape();
  switch (kind) {
    case KernelKind::kLayerNormForward:
      return host::layernorm_forward({.rows = s.rows,
                                      .columns = s.columns,
                                      .epsilon = a.scalar(),
                                      .x = a.f(3),
                                      .gamma = a.f(4),
                                      .beta = a.f(5),
                                      .y = a.f(0),
                                      .mean = a.f(1),
                                      .rstd = a.f(2)});
    case KernelKind::kLayerNormBackward:
      return host::layernorm_backward({.rows = s.rows,
                                       .columns = s.columns,
                                       .input_gradient = a.input_gradient(),
                                       .dy = a.f(3),
                                       .x = a.f(4),
                                       .gamma = a.f(7),
                                       .mean = a.f(5),
                                       .rstd = a.f(6),
                                       .dx = a.f(0),
                                       .dgamma = a.f(1),
                                       .dbeta = a.f(2)});
    case KernelKind::kRmsNormForward:
      return host::rmsnorm_forward({.rows = s.rows,
                                    .columns = s.columns,
                                    .epsilon = a.scalar(),
                                    .x = a.f(2),
                                    .gamma = a.f(3),
                                    .y = a.f(0),
                                    .rstd = a.f(1)});
    default:
      return host::rmsnorm_backward({.rows = s.rows,
                                     .columns = s.columns,
                                     .input_gradient = a.input_gradient(),
                                     .dy = a.f(2),
                                     .x = a.f(3),
                                     .gamma = a.f(5),
                                     .rstd = a.f(4),
                                     .dx = a.f(0),
                                     .dgamma = a.f(1)});
  }
}

void run_attention_kernel(KernelKind kind, const Arguments& a) {
  switch (kind) {
    case KernelKind::kRotaryForward:
      return host::rotary_forward({.shape = a.attention(), .theta = a.scalar(), .qkv = a.f(0)});
    case KernelKind::kRotaryBackward:
      return host::rotary_backward({.shape = a.attention(), .theta = a.scalar(), .qkv = a.f(0)});
    case KernelKind::kAttentionScoresForward:
      return host::attention_scores_forward({.shape = a.attention(), .qkv = a.f(1), .scores = a.f(0)});
    case KernelKind::kAttentionScoresBackward:
      return host::attention_scores_backward(
          {.shape = a.attention(), .qkv = a.f(2), .dscores = a.f(1), .dqkv = a.f(0)});
    case KernelKind::kAttentionSoftmaxForward:
      return host::attention_softmax_forward({.shape = a.attention(), .scores = a.f(0)});
    case KernelKind::kAttentionSoftmaxBackward:
      return host::attention_softmax_backward(
          {.shape = a.attention(), .probabilities = a.f(1), .dprobabilities = a.f(0)});
    case KernelKind::kAttentionContextForward:
      return host::attention_context_forward(
          {.shape = a.attention(), .probabilities = a.f(1), .qkv = a.f(2), .context = a.f(0)});
    default:
      return host::attention_context_backward({.shape = a.attention(),
                                               .probabilities = a.f(3),
                                               .qkv = a.f(4),
                                               .dcontext = a.f(2),
                                               .dprobabilities = a.f(0),
                                               .dqkv = a.f(1)});
  }
}

void run_pointwise_kernel(KernelKind kind, const Arguments& a) {
  const KernelShape& s = a.shape();
  switch (kind) {
    case KernelKind::kGeluForward:
      return host::gelu_forward({.count = a.elements(), .u = a.f(1), .y = a.f(0)});
    case KernelKind::kGeluBackward:
      return host::gelu_backward({.count = a.elements(), .u = a.f(1), .gradient = a.f(0)});
    case KernelKind::kSwiGluForward:
      return host::swiglu_forward({.rows = s.rows, .features = s.columns, .u = a.f(1), .g = a.f(0)});
    case KernelKind::kSwiGluBackward:
      return host::swiglu_backward(
          {.rows = s.rows, .features = s.columns, .u = a.f(2), .dg = a.f(1), .du = a.f(0)});
    case KernelKind::kResidualAdd:
      return host::residual_add(
          {.rows = s.rows, .columns = s.columns, .x = a.f(1), .bias = a.optional(2), .y = a.f(0)});
    case KernelKind::kGradientConvert:
      return host::accumulate(a.f(0), a.f(1), a.elements());
    default:
      return host::fill_zero(a.f(0), s.rows / static_cast<std::int64_t>(sizeof(float)));  // rows: bytes
  }
}

void run_adamw(const KernelLaunch& launch, const Arguments& a) {
  const UpdateOptions& update = launch.update;
  host::adamw_update({.count = a.shape().rows,
                      .options = {.learning_rate = update.learning_rate,
                                  .beta1 = update.beta1,
                                  .beta2 = update.beta2,
                                  .epsilon = update.epsilon,
                                  .weight_decay = update.weight_decay,
                                  .step = update.step},
                      .gradient = a.f(1),
                      .parameter = a.f(0),
                      .first_moment = a.f(2),
                      .second_moment = a.f(3)});
}

}  // namespace

HostFamily host_family(KernelKind kind) {
  switch (kind) {
    case KernelKind::kLoadTokens:
    case KernelKind::kEmbeddingForward:
    case KernelKind::kEmbeddingBackward:
    case KernelKind::kCrossEntropyForward:
    case KernelKind::kCrossEntropyBackward:
      return HostFamily::kTokens;
    case KernelKind::kLinearForward:
    case KernelKind::kLinearBackwardInput:
    case KernelKind::kLinearBackwardWeight:
    case KernelKind::kBiasBackward:
      return HostFamily::kLinear;
    case KernelKind::kLayerNormForward:
    case KernelKind::kLayerNormBackward:
    case KernelKind::kRmsNormForward:
    case KernelKind::kRmsNormBackward:
      return HostFamily::kNorm;
    case KernelKind::kRotaryForward:
    case KernelKind::kRotaryBackward:
    case KernelKind::kAttentionScoresForward:
    case KernelKind::kAttentionScoresBackward:
    case KernelKind::kAttentionSoftmaxForward:
    case KernelKind::kAttentionSoftmaxBackward:
    case KernelKind::kAttentionContextForward:
    case KernelKind::kAttentionContextBackward:
      return HostFamily::kAttention;
    case KernelKind::kGeluForward:
    case KernelKind::kGeluBackward:
    case KernelKind::kSwiGluForward:
    case KernelKind::kSwiGluBackward:
    case KernelKind::kResidualAdd:
    case KernelKind::kGradientConvert:
    case KernelKind::kFillZero:
      return HostFamily::kPointwise;
    case KernelKind::kAdamW:
      return HostFamily::kUpdate;
    case KernelKind::kAttentionDropoutForward:
    case KernelKind::kAttentionDropoutBackward:
    case KernelKind::kFlashAttentionForward:
    case KernelKind::kFlashAttentionBackward:
    case KernelKind::kContextMerge:
    case KernelKind::kKeyValuePack:
    case KernelKind::kKeyValueUnpack:
    case KernelKind::kGradientAdd:
    case KernelKind::kDropoutBackward:
    case KernelKind::kLatentSplitForward:
    case KernelKind::kLatentSplitBackward:
    case KernelKind::kLatentKeyValueForward:
    case KernelKind::kLatentKeyValueBackward:
    case KernelKind::kQueryKeyNormForward:
    case KernelKind::kQueryKeyNormBackward:
    case KernelKind::kReluForward:
    case KernelKind::kReluBackward:
    case KernelKind::kBranchSum:
    case KernelKind::kRouterTopKForward:
    case KernelKind::kRouterTopKBackward:
    case KernelKind::kPermuteTokensForward:
    case KernelKind::kPermuteTokensBackward:
    case KernelKind::kUnpermuteTokensForward:
    case KernelKind::kUnpermuteTokensBackward:
    case KernelKind::kBufferCopy:
    case KernelKind::kFp8Cast:
    case KernelKind::kElementwise:
    case KernelKind::kGradientScale:
    case KernelKind::kGradientPack:
    case KernelKind::kGradientUnpack:
    case KernelKind::kQuantizedSum:
    case KernelKind::kTopKSelect:
    case KernelKind::kTopKScatter:
    case KernelKind::kLowRankProduct:
    case KernelKind::kOrthogonalize:
    case KernelKind::kLowRankExpand:
    case KernelKind::kExpertAllToAll:
    case KernelKind::kContextShift:
    case KernelKind::kTensorAllReduce:
    case KernelKind::kTensorAllGather:
    case KernelKind::kTensorReduceScatter:
      break;
  }
  return HostFamily::kNone;
}

Result<void> run_host_kernel(const KernelLaunch& launch) {
  const Arguments a(launch);
  const KernelKind kind = launch.kernel.kind;
  switch (host_family(kind)) {
    case HostFamily::kTokens:
      return run_token_kernel(launch, a);
    case HostFamily::kLinear:
      run_linear_kernel(kind, a);
      return {};
    case HostFamily::kNorm:
      run_norm_kernel(kind, a);
      return {};
    case HostFamily::kAttention:
      run_attention_kernel(kind, a);
      return {};
    case HostFamily::kPointwise:
      run_pointwise_kernel(kind, a);
      return {};
    case HostFamily::kUpdate:
      run_adamw(launch, a);
      return {};
    case HostFamily::kNone:
      break;
  }
  return infeasible(fmt::format("host device cannot run {}", kernel_name(kind)));
}

}  // namespace portolan
