#include "kernels/host/blas.h"

#include <cblas.h>

#include <cassert>
#include <limits>

namespace portolan::host {
namespace {

blasint blas_size(std::int64_t size) {
  assert(size >= 1 && size <= std::numeric_limits<blasint>::max());
  return static_cast<blasint>(size);
}

CBLAS_TRANSPOSE blas_transpose(const MatrixView& view) { return view.transposed ? CblasTrans : CblasNoTrans; }

/// OpenBLAS has kernels of their own for small products. That for AVX-512 takes memory from the heap in each
/// call where neither factor is transposed and its vectors do not fill up (0.3.21, sgemm_small_kernel_nn).
bool takes_heap_memory(const MatrixProduct& p) {
  constexpr std::int64_t kLargestSmallProduct = 100 * 100 * 100;
  constexpr std::int64_t kVectorLength = 16;
  return !p.a.transposed && !p.b.transposed && p.columns % kVectorLength != 0 &&
         p.rows * p.columns * p.inner <= kLargestSmallProduct;
}

/// Row by row: c_i = b^T a_i.
void multiply_rows(const MatrixProduct& p) {
  for (std::int64_t row = 0; row < p.rows; ++row) {
    cblas_sgemv(CblasRowMajor, CblasTrans, blas_size(p.inner), blas_size(p.columns), 1.0F, p.b.data,
                blas_size(p.b.stride), p.a.data + row * p.a.stride, 1, p.accumulate ? 1.0F : 0.0F,
                p.c + row * p.c_stride, 1);
  }
}

}  // namespace

std::string_view blas_core_name() { return openblas_get_corename(); }

void set_blas_threads(int num_threads) {
  assert(num_threads >= 1);
  openblas_set_num_threads(num_threads);
}

void multiply(const MatrixProduct& p) {
  if (takes_heap_memory(p)) {
    multiply_rows(p);
    return;
  }
  cblas_sgemm(CblasRowMajor, blas_transpose(p.a), blas_transpose(p.b), blas_size(p.rows),
              blas_size(p.columns), blas_size(p.inner), 1.0F, p.a.data, blas_size(p.a.stride), p.b.data,
              blas_size(p.b.stride), p.accumulate ? 1.0F : 0.0F, p.c, blas_size(p.c_stride));
}

}  // namespace portolan::host
