#include "exec/data/token_stream.h"

namespace portolan {

TokenStream tokenize_documents(std::span<const Document> documents, BytePairTokenizer& tokenizer) {
  TokenStream stream;
  for (const Document& document : documents) {
    stream.document_starts.push_back(static_cast<std::int64_t>(stream.tokens.size()));
    tokenizer.append_encoding(document.text, stream.tokens);
    stream.tokens.push_back(tokenizer.vocabulary().end_of_text_id());
  }
  return stream;
}

}  // namespace portolan
