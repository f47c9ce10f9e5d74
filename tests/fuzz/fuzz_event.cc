// Any bytes as --event: one line of error, or an event that written out reads back.

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "catalog/impairment_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed = portolan::parse_event({reinterpret_cast<const char*>(data), size});
  bool sound = false;
  if (parsed) {
    const auto again = portolan::parse_event(portolan::event_text(*parsed));
    sound = again.has_value() && *again == *parsed;
  } else {
    const std::string& message = parsed.error().message;
    sound = !message.empty() && std::all_of(message.begin(), message.end(), [](char c) {
      return std::isprint(static_cast<unsigned char>(c)) != 0;
    });
  }
  if (!sound) {
    std::abort();
  }
  return 0;
}
