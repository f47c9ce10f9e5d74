#include "exec/data/quoted_excerpt.h"

#include <fmt/format.h>

#include <cstddef>

namespace portolan {

namespace {

constexpr std::size_t kLongestExcerpt = 48;

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; }

/// Bytes of the multi-byte UTF-8 sequence at the front of `text`; 0 when there is none. Judges the shape
/// alone (lead byte, continuation bytes): enough for a terminal.
std::size_t sequence_size(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t size = lead >= 0xf5 ? 0 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  if (size == 0 || text.size() < size) {
    return 0;
  }
  for (std::size_t i = 1; i < size; ++i) {
    if (!is_continuation(text[i])) {
      return 0;
    }
  }
  return size;
}

}  // namespace

std::string quoted_excerpt(std::string_view text) {
  std::string quoted = "\"";
  std::size_t position = 0;
  while (position < text.size() && position < kLongestExcerpt) {
    const char c = text[position];
    if (const std::size_t size = sequence_size(text.substr(position)); size > 0) {
      quoted += text.substr(position, size);
      position += size;
      continue;
    }
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c >= 0x20 && c < 0x7f) {
      quoted += c;
    } else {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
    ++position;
  }
  quoted += position < text.size() ? "...\"" : "\"";
  return quoted;
}

}  // namespace portolan
