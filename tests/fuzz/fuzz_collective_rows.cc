// Any bytes as a table of collectives: one line of error, or rows with ranks, sizes and times.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "catalog/measured/collective_rows.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto table = portolan::read_collective_rows(text, "fuzz.csv");
  if (!table) {
    const std::string& message = table.error().message;
    if (!message.starts_with("fuzz.csv") || message.find('\n') != std::string::npos) {
      std::abort();
    }
    return 0;
  }
  for (const portolan::CollectiveRow& row : table->rows) {
    if (row.num_ranks < 2 || row.num_nodes < 1 || row.num_ranks % row.num_nodes != 0 || row.size.value < 1 ||
        !(row.time.value > 0) || row.line < 2) {
      std::abort();
    }
  }
  return 0;
}
