#pragma once

#include <cstdint>

namespace portolan::operands {

/// y += x, plus the bias in every row when there is one. Its gradient: dx += dy (accumulate) and
/// bias_backward.
template <typename T>
struct ResidualAdd {
  std::int64_t rows;
  std::int64_t columns;
  const T* x;               // (rows, columns)
  const T* bias = nullptr;  // (columns) or none
  T* y;                     // (rows, columns)
};

}  // namespace portolan::operands
