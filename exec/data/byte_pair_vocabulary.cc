#include "exec/data/byte_pair_vocabulary.h"

#include <fmt/format.h>

#include <cassert>
#include <cstddef>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/file.h"
#include "exec/data/byte_alphabet.h"
#include "exec/data/encoder_json.h"
#include "exec/data/quoted_excerpt.h"

namespace portolan {

namespace {

constexpr std::string_view kVersionLine = "#version: 0.2";
constexpr std::size_t kNumByteSymbols = 256;

using SymbolByText = std::unordered_map<std::string, std::int32_t>;

SymbolByText byte_symbols() {
  SymbolByText symbols;
  for (std::size_t byte = 0; byte < kNumByteSymbols; ++byte) {
    symbols.emplace(byte_alphabet().symbols[byte], static_cast<std::int32_t>(byte));
  }
  return symbols;
}

/// Texts of all symbols, as a file writes them, shape (256 + merges.size()).
std::vector<std::string> symbol_texts(const BytePairVocabulary& vocabulary) {
  std::vector<std::string> texts(byte_alphabet().symbols.begin(), byte_alphabet().symbols.end());
  texts.reserve(kNumByteSymbols + vocabulary.merges.size());
  for (const BytePairMerge& merge : vocabulary.merges) {
    texts.push_back(texts[static_cast<std::size_t>(merge.left)] +
                    texts[static_cast<std::size_t>(merge.right)]);
  }
  return texts;
}

/// One line of a merges file, with what the lines before it have made.
Result<BytePairMerge> parse_merge(std::string_view line, SymbolByText& symbols, std::string_view where) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || space == 0 || space + 1 == line.size() ||
      line.find(' ', space + 1) != std::string_view::npos) {
    return bad_input(fmt::format("{}: {} is not a merge (two symbols with one space between them)", where,
                                 quoted_excerpt(line)));
  }
  const std::string texts[2] = {std::string(line.substr(0, space)), std::string(line.substr(space + 1))};
  std::int32_t parts[2] = {};
  for (int side = 0; side < 2; ++side) {
    const auto found = symbols.find(texts[side]);
    if (found == symbols.end()) {
      return bad_input(
          fmt::format("{}: {} is no symbol yet (a merge joins bytes of GPT-2's alphabet and results of "
                      "earlier lines)",
                      where, quoted_excerpt(texts[side])));
    }
    parts[side] = found->second;
  }
  std::string made = texts[0] + texts[1];
  if (made == kEndOfTextSymbol) {
    return bad_input(
        fmt::format("{}: {} is the end-of-text mark, which no merge may make", where, quoted_excerpt(made)));
  }
  const auto [place, is_new] = symbols.emplace(std::move(made), static_cast<std::int32_t>(symbols.size()));
  if (!is_new) {
    return bad_input(fmt::format("{}: {} is made again, first by line {} (each merge makes a new symbol)",
                                 where, quoted_excerpt(place->first),
                                 place->second - static_cast<std::int32_t>(kNumByteSymbols) + 2));
  }
  return BytePairMerge{parts[0], parts[1]};
}

Error id_error(const EncoderEntry& entry, std::string_view place, std::string_view problem) {
  return bad_input(fmt::format("{}:{}: {}: {}", place, entry.line, quoted_excerpt(entry.symbol), problem));
}

}  // namespace

std::vector<std::int32_t> conventional_ids(std::size_t num_merges) {
  std::vector<std::int32_t> ids(kNumByteSymbols + num_merges + 1);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::size_t symbol = i < kNumByteSymbols ? byte_alphabet().order[i] : i;
    ids[symbol] = static_cast<std::int32_t>(i);
  }
  return ids;
}

std::vector<std::string> symbol_bytes(const BytePairVocabulary& vocabulary) {
  std::vector<std::string> bytes;
  bytes.reserve(kNumByteSymbols + vocabulary.merges.size());
  for (std::size_t byte = 0; byte < kNumByteSymbols; ++byte) {
    bytes.emplace_back(1, static_cast<char>(static_cast<unsigned char>(byte)));
  }
  for (const BytePairMerge& merge : vocabulary.merges) {
    bytes.push_back(bytes[static_cast<std::size_t>(merge.left)] +
                    bytes[static_cast<std::size_t>(merge.right)]);
  }
  return bytes;
}

Result<BytePairVocabulary> parse_merges(std::string_view text, std::string_view place) {
  BytePairVocabulary vocabulary;
  SymbolByText symbols = byte_symbols();
  int line_number = 0;
  while (!text.empty() || line_number == 0) {
    ++line_number;
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::string where = fmt::format("{}:{}", place, line_number);
    if (line_number > 1) {
      PORTOLAN_TRY(const BytePairMerge merge, parse_merge(line, symbols, where));
      vocabulary.merges.push_back(merge);
    } else if (line != kVersionLine) {
      return bad_input(fmt::format("{}: {} is not the first line of a merges file (\"{}\")", where,
                                   quoted_excerpt(line), kVersionLine));
    }
  }
  vocabulary.ids = conventional_ids(vocabulary.merges.size());
  return vocabulary;
}

Result<BytePairVocabulary> with_encoder_ids(BytePairVocabulary vocabulary, std::string_view encoder_json,
                                            std::string_view place) {
  PORTOLAN_TRY(const std::vector<EncoderEntry> entries, parse_encoder_json(encoder_json, place));
  std::vector<std::string> texts = symbol_texts(vocabulary);
  texts.emplace_back(kEndOfTextSymbol);
  std::unordered_map<std::string_view, std::size_t> symbol_by_text;
  for (std::size_t symbol = 0; symbol < texts.size(); ++symbol) {
    symbol_by_text.emplace(texts[symbol], symbol);
  }
  std::vector<bool> symbol_is_given(texts.size());
  std::vector<bool> id_is_given(texts.size());
  for (const EncoderEntry& entry : entries) {
    const auto found = symbol_by_text.find(entry.symbol);
    if (found == symbol_by_text.end()) {
      return id_error(entry, place,
                      fmt::format("is neither a byte, nor made by a merge, nor {}", kEndOfTextSymbol));
    }
    if (symbol_is_given[found->second]) {
      return id_error(entry, place, "is given twice");
    }
    if (entry.id >= texts.size()) {
      return id_error(entry, place, fmt::format("id {} is outside 0..{}", entry.id, texts.size() - 1));
    }
    if (id_is_given[entry.id]) {
      return id_error(entry, place, fmt::format("id {} is given twice", entry.id));
    }
    symbol_is_given[found->second] = true;
    id_is_given[entry.id] = true;
    vocabulary.ids[found->second] = static_cast<std::int32_t>(entry.id);
  }
  for (std::size_t symbol = 0; symbol < texts.size(); ++symbol) {
    if (!symbol_is_given[symbol]) {
      return bad_input(fmt::format("{}: {} is missing ({} entries, {} needed for {} merges)", place,
                                   quoted_excerpt(texts[symbol]), entries.size(), texts.size(),
                                   vocabulary.merges.size()));
    }
  }
  return vocabulary;
}

std::string format_merges(const BytePairVocabulary& vocabulary) {
  assert(vocabulary.ids == conventional_ids(vocabulary.merges.size()));
  const std::vector<std::string> texts = symbol_texts(vocabulary);
  std::string file(kVersionLine);
  file += '\n';
  for (const BytePairMerge& merge : vocabulary.merges) {
    file += texts[static_cast<std::size_t>(merge.left)];
    file += ' ';
    file += texts[static_cast<std::size_t>(merge.right)];
    file += '\n';
  }
  return file;
}

Result<BytePairVocabulary> load_vocabulary(const std::filesystem::path& merges_path) {
  PORTOLAN_TRY(const std::string text, read_file(merges_path));
  return parse_merges(text, merges_path.string());
}

Result<BytePairVocabulary> load_gpt2_vocabulary(const std::filesystem::path& encoder_path,
                                                const std::filesystem::path& merges_path) {
  PORTOLAN_TRY(BytePairVocabulary vocabulary, load_vocabulary(merges_path));
  PORTOLAN_TRY(const std::string encoder_json, read_file(encoder_path));
  return with_encoder_ids(std::move(vocabulary), encoder_json, encoder_path.string());
}

Result<void> save_vocabulary(const BytePairVocabulary& vocabulary, const std::filesystem::path& merges_path) {
  if (vocabulary.ids != conventional_ids(vocabulary.merges.size())) {
    return bad_input(
        fmt::format("{}: a merges file cannot hold the ids of this vocabulary (only those that "
                    "follow from the merges)",
                    merges_path.string()));
  }
  return write_file_atomically(merges_path, format_merges(vocabulary));
}

}  // namespace portolan
