#pragma once

#include "kernels/operands/linear.h"

/// Plain implementations, one loop per index of the formula: the oracle of the fast kernels, in double.
namespace portolan::reference {

template <typename T>
void linear_forward(const operands::LinearForward<T>& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    for (std::int64_t o = 0; o < a.out_features; ++o) {
      T sum = a.bias != nullptr ? a.bias[o] : T(0);
      for (std::int64_t i = 0; i < a.in_features; ++i) {
        sum += a.x[r * a.in_features + i] * a.weight[o * a.in_features + i];
      }
      a.y[r * a.out_features + o] = sum;
    }
  }
}

template <typename T>
void linear_backward_input(const operands::LinearBackwardInput<T>& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    for (std::int64_t i = 0; i < a.in_features; ++i) {
      T sum = 0;
      for (std::int64_t o = 0; o < a.out_features; ++o) {
        sum += a.dy[r * a.out_features + o] * a.weight[o * a.in_features + i];
      }
      a.dx[r * a.in_features + i] = sum;
    }
  }
}

template <typename T>
void linear_backward_weight(const operands::LinearBackwardWeight<T>& a) {
  for (std::int64_t o = 0; o < a.out_features; ++o) {
    for (std::int64_t i = 0; i < a.in_features; ++i) {
      T sum = 0;
      for (std::int64_t r = 0; r < a.rows; ++r) {
        sum += a.dy[r * a.out_features + o] * a.x[r * a.in_features + i];
      }
      a.dweight[o * a.in_features + i] += sum;
    }
  }
}

template <typename T>
void bias_backward(const operands::BiasBackward<T>& a) {
  for (std::int64_t j = 0; j < a.columns; ++j) {
    T sum = 0;
    for (std::int64_t r = 0; r < a.rows; ++r) {
      sum += a.dy[r * a.columns + j];
    }
    a.dbias[j] += sum;
  }
}

}  // namespace portolan::reference
