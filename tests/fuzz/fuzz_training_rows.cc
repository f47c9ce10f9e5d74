// Any bytes as a table of published steps: one line of error, or rows with ids.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "catalog/measured/training_rows.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto rows = portolan::read_training_rows(text, "fuzz.csv");
  if (!rows) {
    const std::string& message = rows.error().message;
    if (!message.starts_with("fuzz.csv") || message.find('\n') != std::string::npos) {
      std::abort();
    }
    return 0;
  }
  for (const portolan::TrainingRow& row : *rows) {
    if (row.id.empty() || row.line < 2) {
      std::abort();
    }
  }
  return 0;
}
