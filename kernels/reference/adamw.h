#pragma once

#include <cmath>

#include "kernels/operands/adamw.h"

namespace portolan::reference {

template <typename T>
void adamw_update(const operands::AdamwUpdate<T>& a) {
  const auto& o = a.options;
  const T beta1 = static_cast<T>(o.beta1);
  const T beta2 = static_cast<T>(o.beta2);
  const T step = static_cast<T>(o.step);
  for (std::int64_t i = 0; i < a.count; ++i) {
    const T g = a.gradient[i];
    T& m = a.first_moment[i];
    T& v = a.second_moment[i];
    m = beta1 * m + (T(1) - beta1) * g;
    v = beta2 * v + (T(1) - beta2) * g * g;
    const T m_hat = m / (T(1) - std::pow(beta1, step));
    const T v_hat = v / (T(1) - std::pow(beta2, step));
    a.parameter[i] -=
        static_cast<T>(o.learning_rate) * (m_hat / (std::sqrt(v_hat) + static_cast<T>(o.epsilon)) +
                                           static_cast<T>(o.weight_decay) * a.parameter[i]);
  }
}

}  // namespace portolan::reference
