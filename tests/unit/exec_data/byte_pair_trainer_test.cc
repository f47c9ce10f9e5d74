#include "exec/data/byte_pair_trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "exec/data/piece_splitter.h"
#include "random_text.h"

namespace portolan {
namespace {

std::vector<Document> documents_of(const std::vector<std::string>& texts) {
  std::vector<Document> documents;
  for (const std::string& text : texts) {
    documents.push_back({"test", text});
  }
  return documents;
}

/// Merges as the file writes them, joined by ", ".
std::string merges_of(const BytePairVocabulary& vocabulary) {
  std::string merges = format_merges(vocabulary);
  merges.erase(0, merges.find('\n') + 1);
  std::string joined;
  for (const char c : merges) {
    joined += c == '\n' ? std::string(", ") : std::string(1, c);
  }
  return joined.substr(0, joined.size() < 2 ? 0 : joined.size() - 2);
}

std::string repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) {
    all += text;
  }
  return all;
}

TEST(TrainBytePairs, MergesByHand) {
  struct Row {
    std::string text;
    std::int32_t num_entries;
    std::string merges;
  };
  const std::vector<Row> rows = {
      // Nothing occurs twice.
      {"abc", 4096, ""},
      // aa counts twice in each word; then ab and aa+a tie at 2, and 'a' is a smaller symbol than aa.
      {"aaab aaab", 4096, "a a, a b, aa ab"},
      // lo and ow tie at 4; 'l' is smaller.
      {"low low low lower", 4096, "l o, lo w, Ġ low"},
      // hug 10, pug 5, pun 12, bun 4, hugs 5: ug 20, un 16, hug 15.
      {repeated("hug\n", 10) + repeated("pug\n", 5) + repeated("pun\n", 12) + repeated("bun\n", 4) +
           repeated("hugs\n", 5),
       260, "u g, u n, h ug"},
      // Two bytes of é, four times; then the two é of each word.
      {"\u00e9\u00e9 \u00e9\u00e9", 4096, "Ã ©, Ã© Ã©"},
      // Letters and digits are different pieces, so no merge joins a and 1.
      {"a1 a1 a1", 4096, "Ġ a"},
      // So are a letter and a byte that is not UTF-8, and two such bytes.
      {"a\xff\xff a\xff\xff a\xff\xff", 4096, "Ġ a"},
      // The limit holds: 257 entries leave no room for a merge.
      {"low low low", 257, ""},
      {"low low low", 258, "l o"},
  };
  for (const Row& row : rows) {
    const auto vocabulary = train_byte_pairs(documents_of({row.text}), {.num_entries = row.num_entries});
    ASSERT_TRUE(vocabulary.has_value());
    EXPECT_EQ(merges_of(*vocabulary), row.merges) << row.text;
  }
}

TEST(TrainBytePairs, PairsDoNotCrossDocuments) {
  const auto vocabulary = train_byte_pairs(documents_of({"a", "b", "a", "b"}), {});
  ASSERT_TRUE(vocabulary.has_value());
  EXPECT_EQ(merges_of(*vocabulary), "");
  EXPECT_EQ(vocabulary->num_entries(), 257);
  EXPECT_EQ(vocabulary->end_of_text_id(), 256);
}

TEST(TrainBytePairs, Errors) {
  struct Row {
    std::vector<std::string> texts;
    std::int32_t num_entries;
    std::string message;
  };
  const std::vector<Row> rows = {
      {{"abc"}, 256, "num_entries: 256 is too few (at least 257: 256 bytes and the end-of-text mark)"},
      {{"abc"}, -1, "num_entries: -1 is too few (at least 257: 256 bytes and the end-of-text mark)"},
      {{}, 300, "no text in 0 documents to learn a vocabulary from"},
      {{"", ""}, 300, "no text in 2 documents to learn a vocabulary from"},
  };
  for (const Row& row : rows) {
    const auto vocabulary = train_byte_pairs(documents_of(row.texts), {.num_entries = row.num_entries});
    ASSERT_FALSE(vocabulary.has_value());
    EXPECT_EQ(vocabulary.error(), bad_input(row.message));
  }
}

/// The definition, word for word: before each merge every pair of every piece is counted again.
std::vector<BytePairMerge> train_by_recounting(const std::vector<std::string>& texts,
                                               std::size_t most_merges) {
  std::vector<std::vector<std::int32_t>> words;
  PieceSplitter splitter;
  for (const std::string& text : texts) {
    splitter.start(text);
    while (const auto piece = splitter.next_piece()) {
      auto& word = words.emplace_back();
      for (const char c : *piece) {
        word.push_back(static_cast<unsigned char>(c));
      }
    }
  }
  std::vector<BytePairMerge> merges;
  while (merges.size() < most_merges) {
    std::map<std::pair<std::int32_t, std::int32_t>, int> counts;
    for (const auto& word : words) {
      for (std::size_t i = 1; i < word.size(); ++i) {
        ++counts[{word[i - 1], word[i]}];
      }
    }
    // std::map goes from small pairs to great ones, max_element keeps the first of equals.
    const auto best = std::max_element(counts.begin(), counts.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (best == counts.end() || best->second < 2) {
      break;
    }
    const auto [left, right] = best->first;
    const auto made = static_cast<std::int32_t>(256 + merges.size());
    merges.push_back({left, right});
    for (auto& word : words) {
      for (std::size_t i = 0; i + 1 < word.size(); ++i) {
        if (word[i] == left && word[i + 1] == right) {
          word[i] = made;
          word.erase(word.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        }
      }
    }
  }
  return merges;
}

TEST(TrainBytePairs, EqualsRecountingAllPairs) {
  RandomStream random(2, "byte_pair_trainer_test");
  for (int trial = 0; trial < 150; ++trial) {
    std::vector<std::string> texts;
    for (int i = 0; i < 3; ++i) {
      texts.push_back(random_text(random, 200));
    }
    texts.emplace_back("a");
    constexpr std::size_t kMostMerges = 60;
    const auto vocabulary = train_byte_pairs(documents_of(texts), {.num_entries = 257 + kMostMerges});
    ASSERT_TRUE(vocabulary.has_value());
    ASSERT_EQ(vocabulary->merges, train_by_recounting(texts, kMostMerges)) << "trial " << trial;

    std::reverse(texts.begin(), texts.end());
    const auto reversed = train_byte_pairs(documents_of(texts), {.num_entries = 257 + kMostMerges});
    ASSERT_TRUE(reversed.has_value());
    ASSERT_EQ(*vocabulary, *reversed) << "trial " << trial;
  }
}

/// No two merges make the same bytes, so what the trainer makes can always be written and read.
TEST(TrainBytePairs, MakesVocabulariesThatLoad) {
  RandomStream random(3, "byte_pair_trainer_test");
  for (int trial = 0; trial < 150; ++trial) {
    const std::vector<std::string> texts = {random_text(random, 400), "a"};
    const auto vocabulary = train_byte_pairs(documents_of(texts), {.num_entries = 400});
    ASSERT_TRUE(vocabulary.has_value());
    const auto loaded = parse_merges(format_merges(*vocabulary), "trained.bpe");
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
    ASSERT_EQ(*loaded, *vocabulary);
  }
}

}  // namespace
}  // namespace portolan
