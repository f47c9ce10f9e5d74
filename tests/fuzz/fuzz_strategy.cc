// Any bytes as --strategy: one line of error that names the flag's part, or constraints that their own text
// reads back to.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "catalog/strategy_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed = portolan::parse_strategy({reinterpret_cast<const char*>(data), size});
  bool sound = false;
  if (parsed) {
    const auto again = portolan::parse_strategy(portolan::write_strategy(*parsed));
    sound = again.has_value() && *again == *parsed;
  } else {
    sound = parsed.error().message.starts_with("strategy") &&
            parsed.error().message.find('\n') == std::string::npos;
  }
  if (!sound) {
    std::abort();
  }
  return 0;
}
