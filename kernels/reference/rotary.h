#pragma once

#include <cmath>

#include "kernels/operands/rotary.h"

namespace portolan::reference {

/// Rotates every pair by direction * its angle: +1 forward, -1 backward.
template <typename T>
void rotate_pairs(const operands::Rotary<T>& a, T direction) {
  const auto& s = a.shape;
  const std::int64_t half = s.head_dim / 2;
  for (std::int64_t row = 0; row < s.rows(); ++row) {
    for (std::int64_t head = 0; head < s.heads + s.kv_heads; ++head) {
      T* const x = a.qkv + row * s.qkv_columns() + head * s.head_dim;
      for (std::int64_t j = 0; j < half; ++j) {
        const T frequency =
            std::pow(static_cast<T>(a.theta), -T(2) * static_cast<T>(j) / static_cast<T>(s.head_dim));
        const T angle = direction * static_cast<T>(row % s.sequence) * frequency;
        const T first = x[j];
        const T second = x[j + half];
        x[j] = first * std::cos(angle) - second * std::sin(angle);
        x[j + half] = second * std::cos(angle) + first * std::sin(angle);
      }
    }
  }
}

template <typename T>
void rotary_forward(const operands::Rotary<T>& a) {
  rotate_pairs(a, T(1));
}

template <typename T>
void rotary_backward(const operands::Rotary<T>& a) {
  rotate_pairs(a, T(-1));
}

}  // namespace portolan::reference
