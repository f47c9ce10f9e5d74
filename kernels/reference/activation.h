#pragma once

#include <cmath>
#include <numbers>

#include "kernels/operands/activation.h"

namespace portolan::reference {

template <typename T>
void gelu_forward(const operands::GeluForward<T>& a) {
  const T root = std::sqrt(T(2) / std::numbers::pi_v<T>);
  for (std::int64_t i = 0; i < a.count; ++i) {
    const T u = a.u[i];
    a.y[i] = u / T(2) * (T(1) + std::tanh(root * (u + T(0.044715) * u * u * u)));
  }
}

template <typename T>
void gelu_backward(const operands::GeluBackward<T>& a) {
  const T root = std::sqrt(T(2) / std::numbers::pi_v<T>);
  for (std::int64_t i = 0; i < a.count; ++i) {
    const T u = a.u[i];
    const T t = std::tanh(root * (u + T(0.044715) * u * u * u));
    const T dt = (T(1) - t * t) * root * (T(1) + T(3) * T(0.044715) * u * u);
    a.gradient[i] *= (T(1) + t) / T(2) + u / T(2) * dt;
  }
}

template <typename T>
void swiglu_forward(const operands::SwigluForward<T>& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    for (std::int64_t j = 0; j < a.features; ++j) {
      const T gate = a.u[r * 2 * a.features + j];
      const T up = a.u[r * 2 * a.features + a.features + j];
      a.g[r * a.features + j] = gate / (T(1) + std::exp(-gate)) * up;
    }
  }
}

template <typename T>
void swiglu_backward(const operands::SwigluBackward<T>& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    for (std::int64_t j = 0; j < a.features; ++j) {
      const T gate = a.u[r * 2 * a.features + j];
      const T up = a.u[r * 2 * a.features + a.features + j];
      const T dg = a.dg[r * a.features + j];
      const T sigmoid = T(1) / (T(1) + std::exp(-gate));
      a.du[r * 2 * a.features + j] = dg * up * (sigmoid + gate * sigmoid * (T(1) - sigmoid));
      a.du[r * 2 * a.features + a.features + j] = dg * gate * sigmoid;
    }
  }
}

}  // namespace portolan::reference
