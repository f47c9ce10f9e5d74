// Any bytes as a merges file and, behind the first NUL byte, an encoder.json and a text. What is accepted
// must survive writing and reading, and must encode the bytes so that they decode to themselves.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "exec/data/byte_pair_tokenizer.h"
#include "exec/data/byte_pair_vocabulary.h"

namespace {

void require(bool is_sound) {
  if (!is_sound) {
    std::abort();
  }
}

void require_round_trip(portolan::BytePairVocabulary vocabulary, std::string_view text) {
  portolan::BytePairTokenizer tokenizer(std::move(vocabulary));
  const auto decoded = tokenizer.decode(tokenizer.encode(text));
  require(decoded.has_value() && *decoded == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t nul = input.find('\0');
  const std::string_view merges = input.substr(0, nul);
  const std::string_view rest = nul == std::string_view::npos ? std::string_view() : input.substr(nul + 1);

  auto vocabulary = portolan::parse_merges(merges, "fuzz.bpe");
  if (!vocabulary) {
    require(vocabulary.error().message.starts_with("fuzz.bpe:"));
    require(vocabulary.error().message.find('\n') == std::string::npos);
    // The other parser is not to be starved by this one.
    vocabulary = portolan::parse_merges("#version: 0.2\n", "none.bpe");
  }
  const auto again = portolan::parse_merges(portolan::format_merges(*vocabulary), "again.bpe");
  require(again.has_value() && *again == *vocabulary);
  require_round_trip(*vocabulary, input);

  auto with_ids = portolan::with_encoder_ids(*vocabulary, rest, "fuzz.json");
  if (with_ids) {
    require_round_trip(std::move(*with_ids), input);
  } else {
    require(with_ids.error().message.starts_with("fuzz.json:"));
    require(with_ids.error().message.find('\n') == std::string::npos);
  }
  return 0;
}
