#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/random.h"

namespace portolan {

/// Text of up to `longest` draws from few parts, so that words and runs recur: letters, white space, signs, a
/// contraction, multi-byte characters, and bytes that are not UTF-8.
inline std::string random_text(RandomStream& random, std::size_t longest) {
  constexpr std::array<std::string_view, 16> kParts = {"a",    "a",    "b",  "c",     "ab",     " ",
                                                       " ",    "\n",   "'s", "1",     "\u00e9", "\U0001f600",
                                                       "\xff", "\xe2", "!",  "\u00a0"};
  std::string text;
  for (std::uint64_t left = random.next_below(longest + 1); left > 0; --left) {
    text += kParts[random.next_below(kParts.size())];
  }
  return text;
}

/// Up to `longest` uniformly random bytes.
inline std::string random_bytes(RandomStream& random, std::size_t longest) {
  std::string bytes(random.next_below(longest + 1), '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(static_cast<unsigned char>(random.next_below(256)));
  }
  return bytes;
}

}  // namespace portolan
