#pragma once

#include <cstdint>

namespace portolan::operands {

// Contracts of the kernels around a linear layer, shared by every implementation of them.
// All matrices are row-major and dense; no output overlaps an input. Sizes >= 1.

/// y = x W^T, plus the bias in every row when there is one. Overwrites y.
template <typename T>
struct LinearForward {
  std::int64_t rows;
  std::int64_t in_features;
  std::int64_t out_features;
  const T* x;               // (rows, in_features)
  const T* weight;          // (out_features, in_features)
  const T* bias = nullptr;  // (out_features) or none
  T* y;                     // (rows, out_features)
};

/// dx = dy W. Overwrites dx.
template <typename T>
struct LinearBackwardInput {
  std::int64_t rows;
  std::int64_t in_features;
  std::int64_t out_features;
  const T* dy;      // (rows, out_features)
  const T* weight;  // (out_features, in_features)
  T* dx;            // (rows, in_features)
};

/// dweight += dy^T x.
template <typename T>
struct LinearBackwardWeight {
  std::int64_t rows;
  std::int64_t in_features;
  std::int64_t out_features;
  const T* dy;  // (rows, out_features)
  const T* x;   // (rows, in_features)
  T* dweight;   // (out_features, in_features)
};

/// dbias += the sum of dy over its rows.
template <typename T>
struct BiasBackward {
  std::int64_t rows;
  std::int64_t columns;
  const T* dy;  // (rows, columns)
  T* dbias;     // (columns)
};

}  // namespace portolan::operands
