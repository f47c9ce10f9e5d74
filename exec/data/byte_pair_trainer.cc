#include "exec/data/byte_pair_trainer.h"

#include <fmt/format.h>

#include <cstddef>
#include <optional>
#include <queue>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "exec/data/piece_splitter.h"

namespace portolan {

namespace {

constexpr std::int32_t kNumBytes = 256;
constexpr std::int32_t kFewestEntries = kNumBytes + 1;
/// A pair that occurs once shortens nothing that is ever seen again.
constexpr std::int64_t kFewestOccurrences = 2;

/// A piece that occurs in the text, cut into the symbols known so far.
struct Word {
  std::vector<std::int32_t> symbols;
  std::int64_t num_occurrences = 0;
};

struct PairUse {
  std::int64_t num_occurrences = 0;
  /// Words that held the pair when it was first seen there; some may have lost it since.
  std::vector<std::size_t> words;
};

/// A pair in the queue. Its count may have fallen since it was pushed, never risen.
struct Candidate {
  std::int64_t num_occurrences = 0;
  BytePairMerge pair;

  /// std::priority_queue serves the greatest first: most frequent, then smallest symbols.
  bool operator<(const Candidate& other) const {
    return std::tuple(num_occurrences, other.pair.left, other.pair.right) <
           std::tuple(other.num_occurrences, pair.left, pair.right);
  }
};

std::uint64_t key_of(BytePairMerge pair) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(pair.left)) << 32U) |
         static_cast<std::uint32_t>(pair.right);
}

std::vector<Word> count_words(std::span<const Document> documents) {
  std::unordered_map<std::string_view, std::int64_t> num_occurrences;
  PieceSplitter splitter;
  for (const Document& document : documents) {
    splitter.start(document.text);
    while (const auto piece = splitter.next_piece()) {
      ++num_occurrences[*piece];
    }
  }
  std::vector<Word> words;
  words.reserve(num_occurrences.size());
  for (const auto& [text, count] : num_occurrences) {
    Word word{{}, count};
    word.symbols.reserve(text.size());
    for (const char c : text) {
      word.symbols.push_back(static_cast<unsigned char>(c));
    }
    words.push_back(std::move(word));
  }
  return words;
}

/// Replaces each `pair` by `made`, from left to right.
void replace_pair(std::vector<std::int32_t>& symbols, BytePairMerge pair, std::int32_t made) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < symbols.size(); ++kept) {
    const bool is_pair = i + 1 < symbols.size() && symbols[i] == pair.left && symbols[i + 1] == pair.right;
    symbols[kept] = is_pair ? made : symbols[i];
    i += is_pair ? 2 : 1;
  }
  symbols.resize(kept);
}

/// The counts of all pairs, kept up to date by looking only at the words that a merge changes.
class PairCounts {
 public:
  explicit PairCounts(std::vector<Word> words) : words_(std::move(words)) {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      const std::vector<std::int32_t>& symbols = words_[i].symbols;
      for (std::size_t at = 1; at < symbols.size(); ++at) {
        note_word({symbols[at - 1], symbols[at]}, i);
      }
      add_pairs(words_[i], words_[i].num_occurrences);
    }
    for (const auto& [key, use] : uses_) {
      push({static_cast<std::int32_t>(key >> 32U), static_cast<std::int32_t>(key & 0xffffffffU)}, use);
    }
  }

  /// The most frequent pair; nothing when none occurs often enough. Old entries of the queue are too high,
  /// never too low, so the first that is up to date is the greatest.
  std::optional<BytePairMerge> most_frequent_pair() {
    while (!queue_.empty()) {
      const Candidate top = queue_.top();
      const PairUse& use = uses_[key_of(top.pair)];
      if (use.num_occurrences == top.num_occurrences) {
        return top.pair;
      }
      queue_.pop();
      push(top.pair, use);
    }
    return std::nullopt;
  }

  void merge(BytePairMerge pair, std::int32_t made) {
    const std::vector<std::size_t> changed = std::move(uses_[key_of(pair)].words);
    std::vector<BytePairMerge> new_pairs;
    for (const std::size_t i : changed) {
      Word& word = words_[i];
      add_pairs(word, -word.num_occurrences);
      replace_pair(word.symbols, pair, made);
      add_pairs(word, word.num_occurrences);
      for (std::size_t at = 1; at < word.symbols.size(); ++at) {
        const BytePairMerge neighbours{word.symbols[at - 1], word.symbols[at]};
        if ((neighbours.left == made || neighbours.right == made) && note_word(neighbours, i)) {
          new_pairs.push_back(neighbours);
        }
      }
    }
    // Only pairs that hold the new symbol have risen; they are pushed once, with their final counts.
    for (const BytePairMerge& new_pair : new_pairs) {
      push(new_pair, uses_[key_of(new_pair)]);
    }
  }

 private:
  void add_pairs(const Word& word, std::int64_t num_occurrences) {
    for (std::size_t at = 1; at < word.symbols.size(); ++at) {
      uses_[key_of({word.symbols[at - 1], word.symbols[at]})].num_occurrences += num_occurrences;
    }
  }

  /// True when `word` is the first that holds the pair. Words come one after another, each as a whole.
  bool note_word(BytePairMerge pair, std::size_t word) {
    std::vector<std::size_t>& words = uses_[key_of(pair)].words;
    const bool is_first = words.empty();
    if (is_first || words.back() != word) {
      words.push_back(word);
    }
    return is_first;
  }

  void push(BytePairMerge pair, const PairUse& use) {
    if (use.num_occurrences >= kFewestOccurrences) {
      queue_.push({use.num_occurrences, pair});
    }
  }

  std::vector<Word> words_;
  std::unordered_map<std::uint64_t, PairUse> uses_;
  std::priority_queue<Candidate> queue_;
};

}  // namespace

Result<BytePairVocabulary> train_byte_pairs(std::span<const Document> documents,
                                            const BytePairTrainingOptions& options) {
  if (options.num_entries < kFewestEntries) {
    return bad_input(
        fmt::format("num_entries: {} is too few (at least {}: {} bytes and the end-of-text mark)",
                    options.num_entries, kFewestEntries, kNumBytes));
  }
  std::vector<Word> words = count_words(documents);
  if (words.empty()) {
    return bad_input(fmt::format("no text in {} documents to learn a vocabulary from", documents.size()));
  }
  PairCounts counts(std::move(words));
  BytePairVocabulary vocabulary;
  for (std::int32_t made = kNumBytes; made + 1 < options.num_entries; ++made) {
    const auto pair = counts.most_frequent_pair();
    if (!pair) {
      break;
    }
    counts.merge(*pair, made);
    vocabulary.merges.push_back(*pair);
  }
  vocabulary.ids = conventional_ids(vocabulary.merges.size());
  return vocabulary;
}

}  // namespace portolan
