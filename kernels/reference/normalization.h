#pragma once

#include <cmath>

#include "kernels/operands/normalization.h"

namespace portolan::reference {

template <typename T>
void layernorm_forward(const operands::LayernormForward<T>& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const T* const x = a.x + r * a.columns;
    T mean = 0;
    for (std::int64_t j = 0; j < a.columns; ++j) {
      mean += x[j] / static_cast<T>(a.columns);
    }
    T variance = 0;
    for (std::int64_t j = 0; j < a.columns; ++j) {
      variance += (x[j] - mean) * (x[j] - mean) / static_cast<T>(a.columns);
    }
    const T rstd = T(1) / std::sqrt(variance + static_cast<T>(a.epsilon));
    for (std::int64_t j = 0; j < a.columns; ++j) {
      a.y[r * a.columns + j] = a.gamma[j] * (x[j] - mean) * rstd + a.beta[j];
    }
    a.mean[r] = mean;
    a.rstd[r] = rstd;
  }
}

/// With n = (x - mean) rstd and g = gamma dy: dx = rstd (g - average(g) - n average(g n)).
template <typename T>
void layernorm_backward(const operands::LayernormBackward<T>& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const T* const x = a.x + r * a.columns;
    const T* const dy = a.dy + r * a.columns;
    T* const dx = a.dx + r * a.columns;
    T average = 0;
    T average_with_n = 0;
    for (std::int64_t j = 0; j < a.columns; ++j) {
      const T n = (x[j] - a.mean[r]) * a.rstd[r];
      average += a.gamma[j] * dy[j] / static_cast<T>(a.columns);
      average_with_n += a.gamma[j] * dy[j] * n / static_cast<T>(a.columns);
      a.dgamma[j] += dy[j] * n;
      a.dbeta[j] += dy[j];
    }
    for (std::int64_t j = 0; j < a.columns; ++j) {
      const T n = (x[j] - a.mean[r]) * a.rstd[r];
      const T before = a.input_gradient == operands::InputGradient::kAccumulate ? dx[j] : T(0);
      dx[j] = before + a.rstd[r] * (a.gamma[j] * dy[j] - average - n * average_with_n);
    }
  }
}

template <typename T>
void rmsnorm_forward(const operands::RmsnormForward<T>& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const T* const x = a.x + r * a.columns;
    T mean_square = 0;
    for (std::int64_t j = 0; j < a.columns; ++j) {
      mean_square += x[j] * x[j] / static_cast<T>(a.columns);
    }
    const T rstd = T(1) / std::sqrt(mean_square + static_cast<T>(a.epsilon));
    for (std::int64_t j = 0; j < a.columns; ++j) {
      a.y[r * a.columns + j] = a.gamma[j] * x[j] * rstd;
    }
    a.rstd[r] = rstd;
  }
}

/// With n = x rstd and g = gamma dy: dx = rstd (g - n average(g n)).
template <typename T>
void rmsnorm_backward(const operands::RmsnormBackward<T>& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const T* const x = a.x + r * a.columns;
    const T* const dy = a.dy + r * a.columns;
    T* const dx = a.dx + r * a.columns;
    T average_with_n = 0;
    for (std::int64_t j = 0; j < a.columns; ++j) {
      const T n = x[j] * a.rstd[r];
      average_with_n += a.gamma[j] * dy[j] * n / static_cast<T>(a.columns);
      a.dgamma[j] += dy[j] * n;
    }
    for (std::int64_t j = 0; j < a.columns; ++j) {
      const T before = a.input_gradient == operands::InputGradient::kAccumulate ? dx[j] : T(0);
      dx[j] = before + a.rstd[r] * (a.gamma[j] * dy[j] - x[j] * a.rstd[r] * average_with_n);
    }
  }
}

}  // namespace portolan::reference
