#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "exec/data/byte_pair_tokenizer.h"
#include "exec/data/document.h"

namespace portolan {

/// Documents as one run of tokens, an end-of-text mark behind each.
struct TokenStream {
  std::vector<std::int32_t> tokens;
  /// Index of each document's first token, ascending; the first is 0.
  std::vector<std::int64_t> document_starts;

  bool operator==(const TokenStream&) const = default;
};

/// The documents' tokens in the order given.
TokenStream tokenize_documents(std::span<const Document> documents, BytePairTokenizer& tokenizer);

}  // namespace portolan
