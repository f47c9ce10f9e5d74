#include <cmath>

#include "kernels/host/normalization.h"
#include "kernels/host/row_reduction.h"

namespace portolan::host {
namespace {

PORTOLAN_INLINE void forward_loop(const operands::RmsnormForward<float>& a) {
  const float* const gamma = a.gamma;
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const float* const x = a.x + r * a.columns;
    float* const y = a.y + r * a.columns;
    const double squares =
        row_sum(a.columns, [=](std::int64_t j) PORTOLAN_INLINE_LAMBDA { return x[j] * x[j]; });
    const float rstd =
        static_cast<float>(1.0 / std::sqrt(squares / static_cast<double>(a.columns) + a.epsilon));
#pragma omp simd
    for (std::int64_t j = 0; j < a.columns; ++j) {
      y[j] = gamma[j] * (x[j] * rstd);
    }
    a.rstd[r] = rstd;
  }
}

/// With n = x rstd and g = gamma dy: dx = rstd (g - n average(g n)).
template <bool accumulate>
PORTOLAN_INLINE void backward_loop(const operands::RmsnormBackward<float>& a) {
  const float* const gamma = a.gamma;
  float* const dgamma = a.dgamma;
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const float* const x = a.x + r * a.columns;
    const float* const dy = a.dy + r * a.columns;
    float* const dx = a.dx + r * a.columns;
    const float rstd = a.rstd[r];
    const double sum_with_n = row_sum(
        a.columns, [=](std::int64_t j) PORTOLAN_INLINE_LAMBDA { return gamma[j] * dy[j] * (x[j] * rstd); });
    const float average_with_n = static_cast<float>(sum_with_n / static_cast<double>(a.columns));
#pragma omp simd
    for (std::int64_t j = 0; j < a.columns; ++j) {
      const float n = x[j] * rstd;
      const float gradient = rstd * (gamma[j] * dy[j] - n * average_with_n);
      dgamma[j] += dy[j] * n;
      dx[j] = accumulate ? dx[j] + gradient : gradient;
    }
  }
}

}  // namespace

void rmsnorm_forward(const operands::RmsnormForward<float>& a) { with_widest_vectors<forward_loop>(a); }

void rmsnorm_backward(const operands::RmsnormBackward<float>& a) {
  if (a.input_gradient == operands::InputGradient::kAccumulate) {
    with_widest_vectors<backward_loop<true>>(a);
  } else {
    with_widest_vectors<backward_loop<false>>(a);
  }
}

}  // namespace portolan::host
