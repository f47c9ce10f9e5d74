#pragma once

#include <cstdint>
#include <string_view>

namespace portolan::host {

/// The processor that OpenBLAS chose its kernels for ("Haswell", "Cooperlake"). A wrong guess is 2 to 5 times
/// slower; OPENBLAS_CORETYPE in the environment, read when the program starts, overrides it.
std::string_view blas_core_name();

/// Threads that each matrix product may use, for the whole process. Set 1 before ranks run as threads.
/// Precondition: num_threads >= 1; no kernel is running.
void set_blas_threads(int num_threads);

/// A matrix in memory: row-major, `stride` elements from one row to the next, read transposed if so marked.
struct MatrixView {
  const float* data;
  std::int64_t stride;
  bool transposed = false;
};

/// c = a b, or c += a b. The sizes are those after transposition.
struct MatrixProduct {
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t inner;
  MatrixView a;  // (rows, inner)
  MatrixView b;  // (inner, columns)
  float* c;      // (rows, columns)
  std::int64_t c_stride;
  bool accumulate = false;
};

/// Preconditions: every size >= 1 and below 2^31; c overlaps neither a nor b. What c held is not read unless
/// `accumulate` is set.
void multiply(const MatrixProduct& product);

}  // namespace portolan::host
