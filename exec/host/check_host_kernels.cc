#include <fmt/format.h>

#include <initializer_list>
#include <limits>
#include <vector>

#include "exec/host/host_kernels.h"
#include "kernels/operands/rotary.h"

namespace portolan {

namespace {

constexpr std::int64_t kTooLarge = std::numeric_limits<std::int64_t>::max();

/// Of one dimension; sums of a few do not overflow.
constexpr std::int64_t kLargestSize = std::int64_t{1} << 40;

/// Product, or kTooLarge: sizes come from a file.
std::int64_t product(std::initializer_list<std::int64_t> factors) {
  std::int64_t result = 1;
  for (const std::int64_t factor : factors) {
    if (__builtin_mul_overflow(result, factor, &result)) {
      return kTooLarge;
    }
  }
  return result;
}

/// Elements of fp32 (or int32) that each operand must hold at least, in order.
struct OperandNeeds {
  std::vector<std::int64_t> required;
  std::vector<std::int64_t> optional = {};
};

OperandNeeds linear_needs(const Kernel& kernel) {
  const KernelShape& s = kernel.shape;
  const std::int64_t in = product({s.rows, s.inner});
  const std::int64_t out = product({s.rows, s.columns});
  const std::int64_t weight = product({s.columns, s.inner});
  switch (kernel.kind) {
    case KernelKind::kLinearForward:
      return {.required = {out, in, weight}, .optional = {s.columns}};
    case KernelKind::kLinearBackwardInput:
      return {.required = {in, out, weight}};
    default:
      return {.required = {weight, out, in}};
  }
}

OperandNeeds norm_needs(const Kernel& kernel) {
  const std::int64_t rows = kernel.shape.rows;
  const std::int64_t columns = kernel.shape.columns;
  const std::int64_t all = product({rows, columns});
  switch (kernel.kind) {
    case KernelKind::kLayerNormForward:
      return {.required = {all, rows, rows, all, columns, columns}};
    case KernelKind::kLayerNormBackward:
      return {.required = {all, columns, columns, all, all, rows, rows, columns}};
    case KernelKind::kRmsNormForward:
      return {.required = {all, rows, all, columns}};
    default:
      return {.required = {all, columns, all, all, rows, columns}};
  }
}

OperandNeeds attention_needs(const Kernel& kernel) {
  const KernelShape& s = kernel.shape;
  const std::int64_t scores = product({s.batch, s.heads, s.sequence, s.sequence});
  const std::int64_t qkv = product({s.batch, s.sequence, s.heads + 2 * s.kv_heads, s.head_dim});
  const std::int64_t context = product({s.batch, s.sequence, s.heads, s.head_dim});
  switch (kernel.kind) {
    case KernelKind::kRotaryForward:
    case KernelKind::kRotaryBackward:
      return {.required = {qkv}};
    case KernelKind::kAttentionScoresForward:
      return {.required = {scores, qkv}};
    case KernelKind::kAttentionScoresBackward:
      return {.required = {qkv, scores, qkv}};
    case KernelKind::kAttentionSoftmaxForward:
      return {.required = {scores}};
    case KernelKind::kAttentionSoftmaxBackward:
      return {.required = {scores, scores}};
    case KernelKind::kAttentionContextForward:
      return {.required = {context, scores, qkv}};
    default:
      return {.required = {scores, qkv, context, scores, qkv}};
  }
}

OperandNeeds pointwise_needs(const Kernel& kernel) {
  const KernelShape& s = kernel.shape;
  const std::int64_t all = product({s.rows, s.columns});
  const std::int64_t two = product({2, s.rows, s.columns});
  switch (kernel.kind) {
    case KernelKind::kBiasBackward:
      return {.required = {s.columns, all}};
    case KernelKind::kSwiGluForward:
      return {.required = {all, two}};
    case KernelKind::kSwiGluBackward:
      return {.required = {two, all, two}};
    case KernelKind::kResidualAdd:
      return {.required = {all, all}, .optional = {s.columns}};
    case KernelKind::kFillZero:
      return {.required = {(s.rows - 1) / 4 + 1}};
    case KernelKind::kAdamW:
      return {.required = {s.rows, s.rows, s.rows, s.rows}};
    default:
      return {.required = {all, all}};
  }
}

OperandNeeds token_needs(const Kernel& kernel) {
  const KernelShape& s = kernel.shape;
  const std::int64_t all = product({s.rows, s.columns});
  const std::int64_t table = product({s.inner, s.columns});
  const std::int64_t positions = product({s.sequence, s.columns});
  switch (kernel.kind) {
    case KernelKind::kLoadTokens:
      return {.required = {s.rows}};
    case KernelKind::kEmbeddingForward:
      return {.required = {all, s.rows, table}, .optional = {positions}};
    case KernelKind::kEmbeddingBackward:
      return {.required = {table, all, s.rows}, .optional = {positions}};
    case KernelKind::kCrossEntropyForward:
      return {.required = {all, 2, s.rows}};
    default:
      return {.required = {all, s.rows}};
  }
}

Error cannot(const Kernel& kernel, const std::string& why) {
  return infeasible(
      fmt::format("host device cannot run {}{}{}", kernel_name(kernel.kind), why.empty() ? "" : ": ", why));
}

bool is_attention(KernelKind kind) {
  return is_attention_gemm(kind) || kind == KernelKind::kAttentionSoftmaxForward ||
         kind == KernelKind::kAttentionSoftmaxBackward || kind == KernelKind::kRotaryForward ||
         kind == KernelKind::kRotaryBackward;
}

bool is_linear(KernelKind kind) { return is_gemm(kind) && !is_attention_gemm(kind); }

bool is_norm(KernelKind kind) {
  return kind == KernelKind::kLayerNormForward || kind == KernelKind::kLayerNormBackward ||
         kind == KernelKind::kRmsNormForward || kind == KernelKind::kRmsNormBackward;
}

bool is_of_tokens(KernelKind kind) {
  return kind == KernelKind::kLoadTokens || kind == KernelKind::kEmbeddingForward ||
         kind == KernelKind::kEmbeddingBackward || kind == KernelKind::kCrossEntropyForward ||
         kind == KernelKind::kCrossEntropyBackward;
}

OperandNeeds needs_of(const Kernel& kernel) {
  if (is_attention(kernel.kind)) {
    return attention_needs(kernel);
  }
  if (is_linear(kernel.kind)) {
    return linear_needs(kernel);
  }
  if (is_norm(kernel.kind)) {
    return norm_needs(kernel);
  }
  return is_of_tokens(kernel.kind) ? token_needs(kernel) : pointwise_needs(kernel);
}

/// Sizes that multiply to what fits a buffer and are still none.
Result<void> check_sizes(const Kernel& kernel) {
  const KernelShape& s = kernel.shape;
  if (is_linear(kernel.kind) && s.gemm_batch > 1) {
    return cannot(kernel, fmt::format("{} grouped products (allowed: 1)", s.gemm_batch));
  }
  for (const std::int64_t size :
       {s.rows, s.columns, s.inner, s.batch, s.sequence, s.heads, s.kv_heads, s.head_dim}) {
    if (size < 0 || size > kLargestSize) {
      return cannot(kernel, fmt::format("a size of {} (allowed: 0 to {})", size, kLargestSize));
    }
  }
  if (!is_attention(kernel.kind)) {
    const bool needs_sequence = kernel.kind == KernelKind::kEmbeddingForward ||
                                kernel.kind == KernelKind::kEmbeddingBackward ||
                                kernel.kind == KernelKind::kLoadTokens;
    if (needs_sequence && (s.batch < 1 || s.sequence < 1 || product({s.batch, s.sequence}) != s.rows)) {
      return cannot(kernel, fmt::format("{} rows are not {} sequences of {}", s.rows, s.batch, s.sequence));
    }
    return {};
  }
  if (s.kv_heads < 1 || s.heads % s.kv_heads != 0) {
    return cannot(kernel, fmt::format("{} heads with {} key-value heads", s.heads, s.kv_heads));
  }
  if (kernel.kind == KernelKind::kAttentionSoftmaxForward && kernel.scalar != 0) {
    return cannot(kernel, "it has no ALiBi");
  }
  const bool rotary = kernel.kind == KernelKind::kRotaryForward || kernel.kind == KernelKind::kRotaryBackward;
  if (rotary && (s.head_dim % 2 != 0 || s.head_dim > operands::kMaxRotaryHeadDim)) {
    return cannot(kernel, fmt::format("head dimension {} (allowed: even, up to {})", s.head_dim,
                                      operands::kMaxRotaryHeadDim));
  }
  if (rotary && s.columns != 0) {
    return cannot(kernel, fmt::format("{} of {} columns of a head (allowed: all)", s.columns, s.head_dim));
  }
  return {};
}

}  // namespace

Result<void> check_host_kernel(const Kernel& kernel, const Stage& stage) {
  if (host_family(kernel.kind) == HostFamily::kNone) {
    return cannot(kernel, "");
  }
  PORTOLAN_CHECK_OK(check_sizes(kernel));
  const OperandNeeds needs = needs_of(kernel);
  const std::size_t count = kernel.operands.size();
  if (count < needs.required.size() || count > needs.required.size() + needs.optional.size()) {
    return cannot(
        kernel,
        fmt::format("{} operands (needed: {}, further optional ones: {}; no dropout mask, no master copy)",
                    count, needs.required.size(), needs.optional.size()));
  }
  for (std::size_t i = 0; i < count; ++i) {
    const bool required = i < needs.required.size();
    const std::int64_t elements = required ? needs.required[i] : needs.optional[i - needs.required.size()];
    const Buffer& buffer = stage.buffers[static_cast<std::size_t>(kernel.operands[i].tensor)];
    if (!required && kernel.operands[i].access == Access::kWrite) {
      return cannot(kernel, "it has no dropout");
    }
    if (elements < 1 || elements > buffer.bytes.value / 4) {
      return cannot(kernel, fmt::format("buffer \"{}\" of {} bytes is not {} elements of fp32", buffer.name,
                                        buffer.bytes.value, elements));
    }
  }
  return {};
}

Result<void> check_host_communication(const Op& op, const Stage& stage) {
  if (op.kind == OpKind::kCollective && op.collective != CollectiveKind::kAllReduce) {
    return infeasible(fmt::format("host device cannot run {}", collective_name(op.collective)));
  }
  Bytes whole;
  for (const std::int32_t buffer : op.buffers) {
    whole += stage.buffers[static_cast<std::size_t>(buffer)].bytes;
  }
  if (op.bytes != whole) {
    return infeasible(fmt::format("host device cannot run a {} of {} bytes out of buffers of {} bytes",
                                  op_kind_name(op.kind), op.bytes.value, whole.value));
  }
  if (op.kind == OpKind::kCollective && whole.value % 4 != 0) {
    return infeasible(fmt::format("host device cannot sum {} bytes as fp32", whole.value));
  }
  return {};
}

}  // namespace portolan
