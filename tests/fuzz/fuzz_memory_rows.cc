// Any bytes as a table of published peaks of memory: one line of error, or rows with ids.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "catalog/measured/memory_rows.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto rows = portolan::read_memory_rows(text, "fuzz.csv");
  if (!rows) {
    const std::string& message = rows.error().message;
    if (!message.starts_with("fuzz.csv") || message.find('\n') != std::string::npos) {
      std::abort();
    }
    return 0;
  }
  for (const portolan::MemoryRow& row : *rows) {
    if (row.id.empty() || row.line < 2 || row.peak < portolan::Bytes(0)) {
      std::abort();
    }
  }
  return 0;
}
