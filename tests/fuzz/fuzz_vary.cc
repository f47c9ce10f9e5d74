// Any bytes as --vary: one line of error that names the option, or a key whose values, joined, read back.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "catalog/vary_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed = portolan::parse_vary({reinterpret_cast<const char*>(data), size});
  bool sound = false;
  if (parsed) {
    std::string text = parsed->key;
    for (std::size_t i = 0; i < parsed->values.size(); ++i) {
      text += (i == 0 ? "=" : ",") + parsed->values[i];
    }
    const auto again = portolan::parse_vary(text);
    sound = again.has_value() && *again == *parsed;
  } else {
    sound = parsed.error().message.starts_with("--vary") &&
            parsed.error().message.find('\n') == std::string::npos;
  }
  if (!sound) {
    std::abort();
  }
  return 0;
}
