#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "exec/data/byte_pair_vocabulary.h"
#include "exec/data/piece_splitter.h"

namespace portolan {

/// Text to token ids and back. Remembers the pieces that it has met, so encoding is for one thread at a
/// time; decoding is const.
class BytePairTokenizer {
 public:
  /// Precondition: the vocabulary's invariants hold, as they do for one that was trained or loaded.
  explicit BytePairTokenizer(BytePairVocabulary vocabulary);

  const BytePairVocabulary& vocabulary() const { return vocabulary_; }

  /// Token ids of any bytes, in 0..num_entries() - 1. In each piece of PieceSplitter the earliest merge goes
  /// first, from left to right; n bytes take n log n time. The end-of-text mark is never produced: text that
  /// spells it is encoded as text.
  std::vector<std::int32_t> encode(std::string_view text);
  /// As encode(), behind what `tokens` holds.
  void append_encoding(std::string_view text, std::vector<std::int32_t>& tokens);

  /// The bytes that the tokens stand for; decode(encode(x)) == x for all bytes x. The end-of-text mark
  /// decodes to kEndOfTextSymbol. Errors (kBadInput): an id outside the vocabulary.
  Result<std::string> decode(std::span<const std::int32_t> tokens) const;

 private:
  struct PieceHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view piece) const { return std::hash<std::string_view>{}(piece); }
  };
  /// A symbol of the piece at work, chained to its neighbours by index.
  struct Link {
    std::int32_t symbol = 0;
    std::size_t previous = 0;
    std::size_t next = 0;
  };
  /// Two neighbours that a merge joins, the left one at index `left`; the earliest merge is the least.
  struct PossibleMerge {
    std::int32_t made = 0;
    std::size_t left = 0;
    auto operator<=>(const PossibleMerge&) const = default;
  };

  void merge_piece(std::string_view piece, std::vector<std::int32_t>& tokens);
  std::optional<std::int32_t> merged_symbol(std::int32_t left, std::int32_t right) const;
  void note_merge_at(std::size_t left);

  BytePairVocabulary vocabulary_;
  std::vector<std::string> bytes_by_id_;
  std::unordered_map<std::uint64_t, std::int32_t> merged_symbols_;  ///< key: left, right; value: made
  PieceSplitter splitter_;
  std::unordered_map<std::string, std::vector<std::int32_t>, PieceHash, std::equal_to<>> known_pieces_;
  std::vector<Link> links_;              ///< work space of merge_piece()
  std::vector<PossibleMerge> possible_;  ///< work space of merge_piece(): a heap, least first
};

}  // namespace portolan
