#pragma once

#include <cstdint>

#include "kernels/host/exponential.h"
#include "kernels/host/row_reduction.h"

namespace portolan::host {

/// What a loss needs to know of a row's softmax: probability = exp(scale * (x - largest)) / sum.
struct SoftmaxRow {
  float largest;
  double sum;
};

/// In place: row[j] becomes the softmax of scale * row[j]. Finite for any finite row, as no exponent is
/// above 0. Preconditions: count >= 1, scale > 0.
PORTOLAN_INLINE SoftmaxRow softmax_row(float* row, std::int64_t count, float scale) {
  const float largest = row_maximum(row, count);
  const double sum = row_sum(count, [=](std::int64_t j) PORTOLAN_INLINE_LAMBDA {
    const float e = exponential(scale * (row[j] - largest));
    row[j] = e;
    return e;
  });
  const float inverse = static_cast<float>(1.0 / sum);
#pragma omp simd
  for (std::int64_t j = 0; j < count; ++j) {
    row[j] *= inverse;
  }
  return {.largest = largest, .sum = sum};
}

}  // namespace portolan::host
