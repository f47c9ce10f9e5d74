#include "exec/data/byte_alphabet.h"

#include <cstddef>

namespace portolan {

namespace {

bool stands_for_itself(unsigned byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

/// Precondition: code_point < 0x800, so that two bytes are enough.
std::string utf8_of(unsigned code_point) {
  if (code_point < 0x80) {
    return {static_cast<char>(code_point)};
  }
  return {static_cast<char>(0xc0U | (code_point >> 6U)), static_cast<char>(0x80U | (code_point & 0x3fU))};
}

ByteAlphabet make_alphabet() {
  ByteAlphabet alphabet;
  std::size_t num_ordered = 0;
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (stands_for_itself(byte)) {
      alphabet.symbols[byte] = utf8_of(byte);
      alphabet.order[num_ordered++] = static_cast<std::uint8_t>(byte);
    }
  }
  unsigned next_code_point = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (!stands_for_itself(byte)) {
      alphabet.symbols[byte] = utf8_of(next_code_point++);
      alphabet.order[num_ordered++] = static_cast<std::uint8_t>(byte);
    }
  }
  return alphabet;
}

}  // namespace

const ByteAlphabet& byte_alphabet() {
  static const ByteAlphabet alphabet = make_alphabet();
  return alphabet;
}

}  // namespace portolan
