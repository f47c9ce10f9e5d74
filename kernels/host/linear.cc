#include "kernels/host/linear.h"

#include <algorithm>

#include "kernels/host/blas.h"
#include "kernels/host/vector_dispatch.h"

namespace portolan::host {
namespace {

/// Sums runs of rows into a block of columns on the stack, so that a long sum keeps its precision and dbias
/// is read once per run rather than once per row.
PORTOLAN_INLINE void bias_backward_loop(const operands::BiasBackward<float>& a) {
  constexpr std::int64_t kColumns = 256;
  constexpr std::int64_t kRows = 128;
  for (std::int64_t first_row = 0; first_row < a.rows; first_row += kRows) {
    const std::int64_t last_row = std::min(first_row + kRows, a.rows);
    for (std::int64_t first = 0; first < a.columns; first += kColumns) {
      const std::int64_t width = std::min(kColumns, a.columns - first);
      float sums[kColumns] = {};
      for (std::int64_t r = first_row; r < last_row; ++r) {
        const float* const dy = a.dy + r * a.columns + first;
#pragma omp simd
        for (std::int64_t j = 0; j < width; ++j) {
          sums[j] += dy[j];
        }
      }
      for (std::int64_t j = 0; j < width; ++j) {
        a.dbias[first + j] += sums[j];
      }
    }
  }
}

}  // namespace

void linear_forward(const operands::LinearForward<float>& a) {
  if (a.bias != nullptr) {
    for (std::int64_t r = 0; r < a.rows; ++r) {
      std::copy_n(a.bias, a.out_features, a.y + r * a.out_features);
    }
  }
  multiply({.rows = a.rows,
            .columns = a.out_features,
            .inner = a.in_features,
            .a = {.data = a.x, .stride = a.in_features},
            .b = {.data = a.weight, .stride = a.in_features, .transposed = true},
            .c = a.y,
            .c_stride = a.out_features,
            .accumulate = a.bias != nullptr});
}

void linear_backward_input(const operands::LinearBackwardInput<float>& a) {
  multiply({.rows = a.rows,
            .columns = a.in_features,
            .inner = a.out_features,
            .a = {.data = a.dy, .stride = a.out_features},
            .b = {.data = a.weight, .stride = a.in_features},
            .c = a.dx,
            .c_stride = a.in_features});
}

void linear_backward_weight(const operands::LinearBackwardWeight<float>& a) {
  multiply({.rows = a.out_features,
            .columns = a.in_features,
            .inner = a.rows,
            .a = {.data = a.dy, .stride = a.out_features, .transposed = true},
            .b = {.data = a.x, .stride = a.in_features},
            .c = a.dweight,
            .c_stride = a.in_features,
            .accumulate = true});
}

void bias_backward(const operands::BiasBackward<float>& a) { with_widest_vectors<bias_backward_loop>(a); }

}  // namespace portolan::host
