#include "kernels/host/residual.h"

#include "kernels/host/buffer.h"
#include "kernels/host/vector_dispatch.h"

namespace portolan::host {
namespace {

PORTOLAN_INLINE void add_with_bias_loop(const operands::ResidualAdd<float>& a) {
  const float* const bias = a.bias;
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const float* const x = a.x + r * a.columns;
    float* const y = a.y + r * a.columns;
#pragma omp simd
    for (std::int64_t j = 0; j < a.columns; ++j) {
      y[j] += x[j] + bias[j];
    }
  }
}

}  // namespace

void residual_add(const operands::ResidualAdd<float>& a) {
  if (a.bias == nullptr) {
    accumulate(a.y, a.x, a.rows * a.columns);
  } else {
    with_widest_vectors<add_with_bias_loop>(a);
  }
}

}  // namespace portolan::host
