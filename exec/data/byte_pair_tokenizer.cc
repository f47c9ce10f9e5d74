#include "exec/data/byte_pair_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <utility>

namespace portolan {

namespace {

/// Bounds on what is remembered: some 100 bytes a piece make a few megabytes; longer pieces seldom recur.
constexpr std::size_t kMostKnownPieces = 1U << 16U;
constexpr std::size_t kLongestKnownPiece = 64;
/// `previous` of the first link and `next` of the last.
constexpr std::size_t kNoLink = static_cast<std::size_t>(-1);

std::uint64_t key_of(std::int32_t left, std::int32_t right) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32U) |
         static_cast<std::uint32_t>(right);
}

}  // namespace

BytePairTokenizer::BytePairTokenizer(BytePairVocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {
  assert(vocabulary_.ids.size() == vocabulary_.merges.size() + 257);
  bytes_by_id_.resize(vocabulary_.ids.size());
  std::vector<std::string> bytes = symbol_bytes(vocabulary_);
  bytes.emplace_back(kEndOfTextSymbol);
  for (std::size_t symbol = 0; symbol < bytes.size(); ++symbol) {
    bytes_by_id_[static_cast<std::size_t>(vocabulary_.ids[symbol])] = std::move(bytes[symbol]);
  }
  merged_symbols_.reserve(vocabulary_.merges.size());
  std::int32_t made = 256;
  for (const BytePairMerge& merge : vocabulary_.merges) {
    merged_symbols_.emplace(key_of(merge.left, merge.right), made++);
  }
}

std::vector<std::int32_t> BytePairTokenizer::encode(std::string_view text) {
  std::vector<std::int32_t> tokens;
  append_encoding(text, tokens);
  return tokens;
}

void BytePairTokenizer::append_encoding(std::string_view text, std::vector<std::int32_t>& tokens) {
  splitter_.start(text);
  while (const auto piece = splitter_.next_piece()) {
    const auto known = known_pieces_.find(*piece);
    if (known != known_pieces_.end()) {
      tokens.insert(tokens.end(), known->second.begin(), known->second.end());
      continue;
    }
    const auto first = static_cast<std::ptrdiff_t>(tokens.size());
    merge_piece(*piece, tokens);
    if (piece->size() <= kLongestKnownPiece) {
      if (known_pieces_.size() == kMostKnownPieces) {
        known_pieces_.clear();
      }
      known_pieces_.emplace(*piece, std::vector<std::int32_t>(tokens.begin() + first, tokens.end()));
    }
  }
}

std::optional<std::int32_t> BytePairTokenizer::merged_symbol(std::int32_t left, std::int32_t right) const {
  const auto found = merged_symbols_.find(key_of(left, right));
  return found == merged_symbols_.end() ? std::nullopt : std::optional(found->second);
}

void BytePairTokenizer::note_merge_at(std::size_t left) {
  const std::size_t right = links_[left].next;
  if (right == kNoLink) {
    return;
  }
  if (const auto made = merged_symbol(links_[left].symbol, links_[right].symbol)) {
    possible_.push_back({*made, left});
    std::push_heap(possible_.begin(), possible_.end(), std::greater<>());
  }
}

/// Joins two neighbours at a time. As a merge only joins symbols made before it, whatever a merge makes
/// possible ranks behind it, and taking the least possible merge one by one is the same as applying each
/// merge to the whole piece in turn.
void BytePairTokenizer::merge_piece(std::string_view piece, std::vector<std::int32_t>& tokens) {
  links_.clear();
  possible_.clear();
  for (std::size_t i = 0; i < piece.size(); ++i) {
    const auto byte = static_cast<unsigned char>(piece[i]);
    links_.push_back({byte, i == 0 ? kNoLink : i - 1, i + 1 == piece.size() ? kNoLink : i + 1});
  }
  for (std::size_t i = 0; i < links_.size(); ++i) {
    note_merge_at(i);
  }
  constexpr std::int32_t kJoined = -1;  // the symbol of a link that its left neighbour has swallowed
  while (!possible_.empty()) {
    std::pop_heap(possible_.begin(), possible_.end(), std::greater<>());
    const PossibleMerge merge = possible_.back();
    possible_.pop_back();
    const std::size_t left = merge.left;
    const std::size_t right = links_[left].next;
    if (links_[left].symbol == kJoined || right == kNoLink ||
        merged_symbol(links_[left].symbol, links_[right].symbol) != merge.made) {
      continue;  // a neighbour has changed since the merge was noted
    }
    links_[left].symbol = merge.made;
    links_[left].next = links_[right].next;
    links_[right].symbol = kJoined;
    if (links_[left].next != kNoLink) {
      links_[links_[left].next].previous = left;
    }
    note_merge_at(left);
    if (links_[left].previous != kNoLink) {
      note_merge_at(links_[left].previous);
    }
  }
  for (std::size_t i = 0; i != kNoLink; i = links_[i].next) {
    tokens.push_back(vocabulary_.ids[static_cast<std::size_t>(links_[i].symbol)]);
  }
}

Result<std::string> BytePairTokenizer::decode(std::span<const std::int32_t> tokens) const {
  std::string text;
  for (const std::int32_t token : tokens) {
    if (token < 0 || token >= vocabulary_.num_entries()) {
      return bad_input(
          fmt::format("token {} is outside the vocabulary (0..{})", token, vocabulary_.num_entries() - 1));
    }
    text += bytes_by_id_[static_cast<std::size_t>(token)];
  }
  return text;
}

}  // namespace portolan
