#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portolan {

/// Two symbols that become one. Symbols 0..255 are the bytes by value, symbol 256 + r is what merge r makes.
struct BytePairMerge {
  std::int32_t left = 0;
  std::int32_t right = 0;

  bool operator==(const BytePairMerge&) const = default;
};

/// A byte-level byte-pair vocabulary: the bytes, the merges in order of rank, and the end-of-text mark.
/// Invariants, which the trainer and the parsers keep: a merge joins symbols made before it, no two symbols
/// are the same bytes, and `ids` is a permutation of 0..num_entries() - 1.
struct BytePairVocabulary {
  std::vector<BytePairMerge> merges;
  /// Token id of each symbol, shape (257 + merges.size()); the last is that of the end-of-text mark.
  std::vector<std::int32_t> ids;

  std::int32_t num_entries() const { return static_cast<std::int32_t>(ids.size()); }
  std::int32_t end_of_text_id() const { return ids.back(); }

  bool operator==(const BytePairVocabulary&) const = default;
};

/// How vocabulary files write the end-of-text mark.
inline constexpr std::string_view kEndOfTextSymbol = "<|endoftext|>";

/// The ids that follow from the merges alone, GPT-2's own: bytes in the alphabet's order (0..255), merge r
/// is 256 + r, the end-of-text mark comes last.
std::vector<std::int32_t> conventional_ids(std::size_t num_merges);

/// The bytes that each merge or byte stands for, shape (256 + merges.size()).
std::vector<std::string> symbol_bytes(const BytePairVocabulary& vocabulary);

/// The text of a merges file, GPT-2's `vocab.bpe`, to a vocabulary with conventional ids. First line
/// "#version: 0.2", then one merge a line: two symbols in the byte alphabet, one space between them.
/// `place` is the file's name in errors. Errors (kBadInput, with line): no version line, not two symbols, a
/// symbol that no earlier line makes, a merge that makes a symbol again.
Result<BytePairVocabulary> parse_merges(std::string_view text, std::string_view place);

/// `vocabulary` with the ids that the text of an `encoder.json` gives: one object, symbol to id, each byte,
/// each merge and the end-of-text mark once, ids 0..num_entries() - 1 once each.
/// Errors (kBadInput, with line): not such an object; a symbol or an id unknown, missing or repeated.
Result<BytePairVocabulary> with_encoder_ids(BytePairVocabulary vocabulary, std::string_view encoder_json,
                                            std::string_view place);

/// The merges file of a vocabulary; parse_merges() reads it back. Precondition: ids are conventional.
std::string format_merges(const BytePairVocabulary& vocabulary);

/// Reads a merges file; this is the form in which the project keeps the vocabularies that it trains.
/// Errors (kBadInput): those of read_file() and parse_merges().
Result<BytePairVocabulary> load_vocabulary(const std::filesystem::path& merges_path);

/// Reads GPT-2's pair of files. Errors (kBadInput): those of the parsers.
Result<BytePairVocabulary> load_gpt2_vocabulary(const std::filesystem::path& encoder_path,
                                                const std::filesystem::path& merges_path);

/// Writes the merges file. Errors (kBadInput): not writable; ids that are not conventional, which a merges
/// file cannot hold.
Result<void> save_vocabulary(const BytePairVocabulary& vocabulary, const std::filesystem::path& merges_path);

}  // namespace portolan
