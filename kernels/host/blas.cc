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

}  // namespace

std::string_view blas_core_name() { return openblas_get_corename(); }

void set_blas_threads(int num_threads) {
  assert(num_threads >= 1);
  openblas_set_num_threads(num_threads);
}

void multiply(const MatrixProduct& p) {
  cblas_sgemm(CblasRowMajor, blas_transpose(p.a), blas_transpose(p.b), blas_size(p.rows),
              blas_size(p.columns), blas_size(p.inner), 1.0F, p.a.data, blas_size(p.a.stride), p.b.data,
              blas_size(p.b.stride), p.accumulate ? 1.0F : 0.0F, p.c, blas_size(p.c_stride));
}

}  // namespace portolan::host
