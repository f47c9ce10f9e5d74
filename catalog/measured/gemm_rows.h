#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "topology/hardware.h"

namespace portolan {

/// A measured matrix product, or as many of one size in one launch.
struct GemmRow {
  std::int64_t line = 0;  ///< of the table
  std::string gpu;        ///< as the table calls it; empty: not said
  std::int64_t batch = 1;
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  Precision precision = Precision::kFp16;  ///< of the factors
  Seconds time;

  Flops flops() const {
    return Flops(2.0 * static_cast<double>(batch) * static_cast<double>(m) * static_cast<double>(n) *
                 static_cast<double>(k));
  }
};

struct GemmTable {
  std::vector<GemmRow> rows;
  std::int64_t num_others = 0;  ///< rows that are no forward product with its sizes and its time
};

/// Reads a table of measured products: columns by name, M, N, K, `time_ms` or else `tflops`; and, where they
/// are there, `batch` (default 1), `dtype` (fp16), `gpu`, `op` (rows of another than "gemm" are no product)
/// and `direction` (others than "fwd" are left out, as their layouts differ). Errors (kBadInput) with file,
/// line and column: columns missing, numbers that are none or out of range, a dtype that is not known.
Result<GemmTable> read_gemm_rows(std::string_view text, const std::string& file);

}  // namespace portolan
