#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace portolan {

/// How GPT-2's vocabulary files write bytes as printable text: 188 printable Latin-1 bytes stand for
/// themselves, the other 68 (controls, space, 0x7f-0xa0, 0xad) become U+0100, U+0101, ... in their order.
/// Source: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, section 2.2, and
/// the files published with it.
struct ByteAlphabet {
  std::array<std::string, 256> symbols;  ///< UTF-8 text of each byte: symbols[' '] is "Ġ"
  std::array<std::uint8_t, 256> order;   ///< the bytes in the order of their token ids: '!' is 0, ' ' is 220
};

/// The alphabet, built on first use; safe to call from any thread.
const ByteAlphabet& byte_alphabet();

}  // namespace portolan
