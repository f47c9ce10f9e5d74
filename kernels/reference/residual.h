#pragma once

#include "kernels/operands/residual.h"

namespace portolan::reference {

template <typename T>
void residual_add(const operands::ResidualAdd<T>& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    for (std::int64_t j = 0; j < a.columns; ++j) {
      a.y[r * a.columns + j] += a.x[r * a.columns + j] + (a.bias != nullptr ? a.bias[j] : T(0));
    }
  }
}

/// destination += source, both (count).
template <typename T>
void accumulate(T* destination, const T* source, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    destination[i] += source[i];
  }
}

}  // namespace portolan::reference
