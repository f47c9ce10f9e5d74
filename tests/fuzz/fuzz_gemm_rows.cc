// Any bytes as a table of matrix products: one line of error, or products with sizes and times.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "catalog/measured/gemm_rows.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto table = portolan::read_gemm_rows(text, "fuzz.csv");
  if (!table) {
    const std::string& message = table.error().message;
    if (!message.starts_with("fuzz.csv") || message.find('\n') != std::string::npos) {
      std::abort();
    }
    return 0;
  }
  for (const portolan::GemmRow& row : table->rows) {
    if (row.m < 1 || row.n < 1 || row.k < 1 || row.batch < 1 || !(row.time.value > 0) || row.line < 2) {
      std::abort();
    }
  }
  return 0;
}
