#include <cmath>

#include "kernels/host/normalization.h"
#include "kernels/host/row_reduction.h"

namespace portolan::host {
namespace {

PORTOLAN_INLINE void forward_loop(const operands::LayernormForward<float>& a) {
  const auto columns = static_cast<double>(a.columns);
  const float* const gamma = a.gamma;
  const float* const beta = a.beta;
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const float* const x = a.x + r * a.columns;
    float* const y = a.y + r * a.columns;
    const double sum = row_sum(a.columns, [=](std::int64_t j) PORTOLAN_INLINE_LAMBDA { return x[j]; });
    const float mean = static_cast<float>(sum / columns);
    // A second pass over a row in cache: the one-pass formula E[x^2] - E[x]^2 cancels.
    const double squares = row_sum(
        a.columns, [=](std::int64_t j) PORTOLAN_INLINE_LAMBDA { return (x[j] - mean) * (x[j] - mean); });
    const float rstd = static_cast<float>(1.0 / std::sqrt(squares / columns + a.epsilon));
#pragma omp simd
    for (std::int64_t j = 0; j < a.columns; ++j) {
      y[j] = gamma[j] * ((x[j] - mean) * rstd) + beta[j];
    }
    a.mean[r] = mean;
    a.rstd[r] = rstd;
  }
}

/// With n = (x - mean) rstd and g = gamma dy: dx = rstd (g - average(g) - n average(g n)).
template <bool accumulate>
PORTOLAN_INLINE void backward_loop(const operands::LayernormBackward<float>& a) {
  const float* const gamma = a.gamma;
  float* const dgamma = a.dgamma;
  float* const dbeta = a.dbeta;
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const float* const x = a.x + r * a.columns;
    const float* const dy = a.dy + r * a.columns;
    float* const dx = a.dx + r * a.columns;
    const float mean = a.mean[r];
    const float rstd = a.rstd[r];
    const double sum =
        row_sum(a.columns, [=](std::int64_t j) PORTOLAN_INLINE_LAMBDA { return gamma[j] * dy[j]; });
    const double sum_with_n = row_sum(a.columns, [=](std::int64_t j) PORTOLAN_INLINE_LAMBDA {
      return gamma[j] * dy[j] * ((x[j] - mean) * rstd);
    });
    const float average = static_cast<float>(sum / static_cast<double>(a.columns));
    const float average_with_n = static_cast<float>(sum_with_n / static_cast<double>(a.columns));
#pragma omp simd
    for (std::int64_t j = 0; j < a.columns; ++j) {
      const float n = (x[j] - mean) * rstd;
      const float gradient = rstd * (gamma[j] * dy[j] - average - n * average_with_n);
      dgamma[j] += dy[j] * n;
      dbeta[j] += dy[j];
      dx[j] = accumulate ? dx[j] + gradient : gradient;
    }
  }
}

}  // namespace

void layernorm_forward(const operands::LayernormForward<float>& a) { with_widest_vectors<forward_loop>(a); }

void layernorm_backward(const operands::LayernormBackward<float>& a) {
  if (a.input_gradient == operands::InputGradient::kAccumulate) {
    with_widest_vectors<backward_loop<true>>(a);
  } else {
    with_widest_vectors<backward_loop<false>>(a);
  }
}

}  // namespace portolan::host
