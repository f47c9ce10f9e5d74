// Any bytes as a table of attention kernels: one line of error, or kernels with lengths and rates.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "catalog/measured/attention_rows.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto table = portolan::read_attention_rows(text, "fuzz.csv");
  if (!table) {
    const std::string& message = table.error().message;
    if (!message.starts_with("fuzz.csv") || message.find('\n') != std::string::npos) {
      std::abort();
    }
    return 0;
  }
  for (const portolan::AttentionRow& row : table->rows) {
    if (row.sequence < 1 || row.version < 1 || !(row.rate.value > 0) || row.line < 2) {
      std::abort();
    }
  }
  return 0;
}
