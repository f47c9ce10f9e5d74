#include "catalog/document/text_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "catalog/document/node.h"

namespace portolan {

namespace {

/// Bytes of the UTF-8 sequence that `text` begins with; 0 when it begins with none. Overlong forms,
/// surrogates and code points above U+10FFFF are none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) {
    return 1;
  }
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) {
    return 0;
  }
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) {
      return 0;
    }
  }
  const std::uint8_t second = byte(1);
  const bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
  const bool surrogate = lead == 0xED && second > 0x9F;
  const bool too_large = lead == 0xF4 && second > 0x8F;
  return overlong || surrogate || too_large ? 0 : length;
}

bool is_allowed(char c) {
  const auto byte = static_cast<std::uint8_t>(c);
  return byte >= 0x20 ? byte != 0x7F : c == '\t' || c == '\n' || c == '\r';
}

}  // namespace

Result<void> check_is_text(std::string_view text, std::string_view file) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = is_allowed(text[i]) ? sequence_length(text.substr(i)) : 0;
    if (length == 0) {
      const auto line = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(i), '\n') + 1;
      return bad_input(fmt::format("{}:{}: is not text: byte 0x{:02x} (allowed: UTF-8)", printable(file),
                                   line, static_cast<std::uint8_t>(text[i])));
    }
    i += length;
  }
  return {};
}

}  // namespace portolan
