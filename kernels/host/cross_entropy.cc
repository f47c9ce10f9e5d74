#include "kernels/host/cross_entropy.h"

#include <cmath>

#include "kernels/host/softmax_row.h"

namespace portolan::host {
namespace {

PORTOLAN_INLINE void forward_loop(const operands::CrossEntropyForward<float>& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    float* const row = a.logits + r * a.vocabulary;
    const auto target_logit = static_cast<double>(row[a.targets[r]]);
    const SoftmaxRow softmax = softmax_row(row, a.vocabulary, 1.0F);
    // From the logit, not from the probability: that may have become 0.
    *a.loss_sum += std::log(softmax.sum) - (target_logit - static_cast<double>(softmax.largest));
  }
}

PORTOLAN_INLINE void backward_loop(const operands::CrossEntropyBackward<float>& a) {
  const auto scale = static_cast<float>(a.scale);
  for (std::int64_t r = 0; r < a.rows; ++r) {
    float* const row = a.probabilities + r * a.vocabulary;
    row[a.targets[r]] -= 1.0F;
#pragma omp simd
    for (std::int64_t j = 0; j < a.vocabulary; ++j) {
      row[j] *= scale;
    }
  }
}

}  // namespace

void cross_entropy_forward(const operands::CrossEntropyForward<float>& a) {
  with_widest_vectors<forward_loop>(a);
}

void cross_entropy_backward(const operands::CrossEntropyBackward<float>& a) {
  with_widest_vectors<backward_loop>(a);
}

}  // namespace portolan::host
