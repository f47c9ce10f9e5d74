#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/operands/cross_entropy.h"

namespace portolan::reference {

template <typename T>
void cross_entropy_forward(const operands::CrossEntropyForward<T>& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    T* const p = a.logits + r * a.vocabulary;
    const T largest = *std::max_element(p, p + a.vocabulary);
    const T target = p[a.targets[r]];
    T sum = 0;
    for (std::int64_t j = 0; j < a.vocabulary; ++j) {
      p[j] = std::exp(p[j] - largest);
      sum += p[j];
    }
    for (std::int64_t j = 0; j < a.vocabulary; ++j) {
      p[j] /= sum;
    }
    *a.loss_sum += static_cast<double>(std::log(sum) - (target - largest));
  }
}

template <typename T>
void cross_entropy_backward(const operands::CrossEntropyBackward<T>& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    for (std::int64_t j = 0; j < a.vocabulary; ++j) {
      const T onehot = j == a.targets[r] ? T(1) : T(0);
      T& p = a.probabilities[r * a.vocabulary + j];
      p = static_cast<T>(a.scale) * (p - onehot);
    }
  }
}

}  // namespace portolan::reference
