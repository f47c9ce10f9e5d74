#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "exec/data/byte_pair_vocabulary.h"
#include "exec/data/document.h"

namespace portolan {

struct BytePairTrainingOptions {
  /// Entries wanted: 256 bytes, the merges, the end-of-text mark. At least 257.
  std::int32_t num_entries = 4096;
};

/// Learns merges from text: again and again the pair of neighbouring symbols that is most frequent inside
/// the pieces of PieceSplitter becomes a symbol. Among equally frequent pairs the one with the smallest left
/// symbol wins, then the smallest right symbol, so neither the order of documents nor the platform matters.
/// Overlapping pairs all count ("aaa" holds two of "aa"); replacement goes from left to right.
/// The vocabulary has conventional ids, and fewer entries than wanted when no pair is left that occurs twice.
/// Errors (kBadInput): num_entries below 257; no text.
/// Source: Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units", ACL 2016.
Result<BytePairVocabulary> train_byte_pairs(std::span<const Document> documents,
                                            const BytePairTrainingOptions& options);

}  // namespace portolan
