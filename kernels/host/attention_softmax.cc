#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/host/attention.h"
#include "kernels/host/softmax_row.h"

namespace portolan::host {
namespace {

PORTOLAN_INLINE float score_scale(const operands::AttentionShape& shape) {
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(shape.head_dim)));
}

/// The unmasked entries of a row, rounded up to whole vectors where the row is long enough: the masked
/// entries that are taken along contribute 0, and no scalar loop is left over.
PORTOLAN_INLINE std::int64_t padded_count(std::int64_t unmasked, std::int64_t sequence) {
  constexpr std::int64_t kVector = 16;
  return std::min((unmasked + kVector - 1) / kVector * kVector, sequence);
}

PORTOLAN_INLINE void softmax_forward_loop(const operands::AttentionSoftmaxForward<float>& a) {
  const std::int64_t sequence = a.shape.sequence;
  const float scale = score_scale(a.shape);
  for (std::int64_t row = 0; row < a.shape.batch * a.shape.heads * sequence; ++row) {
    float* const p = a.scores + row * sequence;
    const std::int64_t unmasked = row % sequence + 1;
    const std::int64_t padded = padded_count(unmasked, sequence);
    std::fill(p + unmasked, p + padded, -std::numeric_limits<float>::infinity());  // exponential 0
    softmax_row(p, padded, scale);
    std::fill(p + padded, p + sequence, 0.0F);
  }
}

/// With p = softmax(scale * s): ds = scale * p * (dp - sum(p dp)).
PORTOLAN_INLINE void softmax_backward_loop(const operands::AttentionSoftmaxBackward<float>& a) {
  const std::int64_t sequence = a.shape.sequence;
  const float scale = score_scale(a.shape);
  for (std::int64_t row = 0; row < a.shape.batch * a.shape.heads * sequence; ++row) {
    const float* const p = a.probabilities + row * sequence;
    float* const d = a.dprobabilities + row * sequence;
    const std::int64_t unmasked = row % sequence + 1;
    const std::int64_t padded = padded_count(unmasked, sequence);
    std::fill(d + unmasked, d + sequence, 0.0F);
    const float inner = static_cast<float>(
        row_sum(padded, [=](std::int64_t j) PORTOLAN_INLINE_LAMBDA { return p[j] * d[j]; }));
#pragma omp simd
    for (std::int64_t j = 0; j < padded; ++j) {
      d[j] = scale * p[j] * (d[j] - inner);
    }
  }
}

}  // namespace

void attention_softmax_forward(const operands::AttentionSoftmaxForward<float>& a) {
  with_widest_vectors<softmax_forward_loop>(a);
}

void attention_softmax_backward(const operands::AttentionSoftmaxBackward<float>& a) {
  with_widest_vectors<softmax_backward_loop>(a);
}

}  // namespace portolan::host
