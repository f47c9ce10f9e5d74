#include "exec/data/byte_pair_tokenizer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "exec/data/byte_pair_trainer.h"
#include "exec/data/text_source.h"
#include "exec/data/token_stream.h"
#include "random_text.h"

namespace portolan {
namespace {

std::optional<std::filesystem::path> data_folder() {
  const char* folder = std::getenv("PORTOLAN_DATA");
  return folder == nullptr ? std::nullopt : std::optional<std::filesystem::path>(folder);
}

BytePairVocabulary vocabulary_of(const std::string& merges) {
  auto vocabulary = parse_merges("#version: 0.2\n" + merges, "test.bpe");
  EXPECT_TRUE(vocabulary.has_value());
  return *vocabulary;
}

TEST(BytePairTokenizer, EncodesByHand) {
  BytePairTokenizer tokenizer(vocabulary_of("a a\na b\naa ab\nĠ aaab\nb c\n"));
  struct Row {
    std::string text;
    std::string tokens;
  };
  // Conventional ids: a 64, b 65, c 66, space 220; aa 256, ab 257, aaab 258, " aaab" 259, bc 260.
  const std::vector<Row> rows = {
      {"", ""},
      {"a", "64"},
      {"aa", "256"},
      {"aaa", "256 64"},              // from the left
      {"aaaa", "256 256"},            //
      {"aab", "256 65"},              // aa is earlier than ab
      {"aaab", "258"},                //
      {"abc", "257 66"},              // ab is earlier than bc
      {"aaab aaab", "258 259"},       // the space belongs to the second word
      {"aaab  aaab", "258 220 259"},  //
      {"<|endoftext|>", "27 91 68 77 67 78 69 83 68 87 83 91 29"},
      {"a\xff", "64 187"},
  };
  for (int round = 0; round < 2; ++round) {  // the second time from memory
    for (const Row& row : rows) {
      EXPECT_EQ(fmt::format("{}", fmt::join(tokenizer.encode(row.text), " ")), row.tokens) << row.text;
    }
  }
}

TEST(BytePairTokenizer, DecodesByHand) {
  const BytePairTokenizer tokenizer(vocabulary_of("a a\na b\naa ab\n"));
  const auto text = tokenizer.decode(std::array<std::int32_t, 4>{258, 220, 256, 259});
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(*text, "aaab aa<|endoftext|>");
  for (const std::int32_t token : {-1, 260}) {
    const auto refused = tokenizer.decode(std::array<std::int32_t, 2>{0, token});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error(), bad_input(fmt::format("token {} is outside the vocabulary (0..259)", token)));
  }
}

TEST(BytePairTokenizer, DecodesWhatItEncoded) {
  RandomStream random(4, "byte_pair_tokenizer_test");
  const std::vector<Document> documents = {{"test", random_text(random, 20000) + " the end"}};
  const auto vocabulary = train_byte_pairs(documents, {.num_entries = 600});
  ASSERT_TRUE(vocabulary.has_value());
  BytePairTokenizer tokenizer(*vocabulary);
  for (int trial = 0; trial < 3000; ++trial) {
    const std::string text = trial % 2 == 0 ? random_bytes(random, 100) : random_text(random, 100);
    const auto decoded = tokenizer.decode(tokenizer.encode(text));
    ASSERT_TRUE(decoded.has_value());
    ASSERT_EQ(*decoded, text) << "trial " << trial;
  }
}

/// The definition: each merge in its turn, from left to right through each piece.
std::vector<std::int32_t> encode_merge_by_merge(const BytePairVocabulary& vocabulary, std::string_view text) {
  std::vector<std::int32_t> tokens;
  PieceSplitter splitter;
  splitter.start(text);
  while (const auto piece = splitter.next_piece()) {
    std::vector<std::int32_t> symbols;
    for (const char c : *piece) {
      symbols.push_back(static_cast<unsigned char>(c));
    }
    for (std::size_t rank = 0; rank < vocabulary.merges.size(); ++rank) {
      for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
        if (BytePairMerge{symbols[i], symbols[i + 1]} == vocabulary.merges[rank]) {
          symbols[i] = static_cast<std::int32_t>(256 + rank);
          symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        }
      }
    }
    for (const std::int32_t symbol : symbols) {
      tokens.push_back(vocabulary.ids[static_cast<std::size_t>(symbol)]);
    }
  }
  return tokens;
}

TEST(BytePairTokenizer, EqualsMergeByMerge) {
  RandomStream random(5, "byte_pair_tokenizer_test");
  for (int trial = 0; trial < 40; ++trial) {
    const std::vector<Document> documents = {{"test", random_text(random, 500) + "a"}};
    const auto vocabulary = train_byte_pairs(documents, {.num_entries = 330});
    ASSERT_TRUE(vocabulary.has_value());
    BytePairTokenizer tokenizer(*vocabulary);
    for (int i = 0; i < 10; ++i) {
      const std::string text = random_text(random, 120);
      ASSERT_EQ(tokenizer.encode(text), encode_merge_by_merge(*vocabulary, text)) << "trial " << trial;
    }
  }
}

TEST(BytePairTokenizer, TakesAPieceOfAMegabyte) {
  BytePairTokenizer tokenizer(vocabulary_of("a a\naa aa\naaaa aaaa\n"));
  const std::string text((1U << 20U) + 1, 'a');
  EXPECT_EQ(tokenizer.encode(text).size(), (1U << 17U) + 1);
}

TEST(BytePairTokenizer, ForgetsPiecesRatherThanGrow) {
  BytePairTokenizer tokenizer(vocabulary_of("1 2\n"));
  for (int i = 0; i < 70'000; ++i) {
    ASSERT_EQ(*tokenizer.decode(tokenizer.encode(std::to_string(i))), std::to_string(i));
  }
}

TEST(TokenizeDocuments, EndsEachDocument) {
  BytePairTokenizer tokenizer(vocabulary_of("a a\n"));
  const std::vector<Document> documents = {{"1", "aa"}, {"2", ""}, {"3", "ab"}};
  const TokenStream expected = {{256, 257, 257, 64, 65, 257}, {0, 2, 3}};
  EXPECT_EQ(tokenize_documents(documents, tokenizer), expected);
}

TEST(Gpt2Vocabulary, GivesTheKnownTokens) {
  const auto data = data_folder();
  if (!data) {
    GTEST_SKIP() << "PORTOLAN_DATA is not set";
  }
  auto vocabulary = load_gpt2_vocabulary(*data / "bpe/encoder.json", *data / "bpe/vocab.bpe");
  ASSERT_TRUE(vocabulary.has_value()) << vocabulary.error().message;
  EXPECT_EQ(vocabulary->num_entries(), 50257);
  EXPECT_EQ(vocabulary->end_of_text_id(), 50256);
  // encoder.json says nothing that the merges do not imply.
  EXPECT_EQ(vocabulary->ids, conventional_ids(50000));

  BytePairTokenizer tokenizer(std::move(*vocabulary));
  EXPECT_EQ(fmt::format("{}", fmt::join(tokenizer.encode("Hello world! This is GPT-2's tokenizer."), " ")),
            "15496 995 0 770 318 402 11571 12 17 338 11241 7509 13");
}

/// Counts by an independent tokenizer (Python's `regex` and the published algorithm), with one end-of-text
/// mark for each document; all tokens of these files were the same.
TEST(Gpt2Vocabulary, GivesTheKnownNumbersOfTokens) {
  const auto data = data_folder();
  if (!data) {
    GTEST_SKIP() << "PORTOLAN_DATA is not set";
  }
  auto vocabulary = load_gpt2_vocabulary(*data / "bpe/encoder.json", *data / "bpe/vocab.bpe");
  ASSERT_TRUE(vocabulary.has_value()) << vocabulary.error().message;
  BytePairTokenizer tokenizer(std::move(*vocabulary));
  const std::pair<const char*, std::size_t> rows[] = {{"lm/book_pride_and_prejudice.txt", 172'565},
                                                      {"lm/c4_sample.jsonl", 391'159},
                                                      {"lm/wikitext_test.txt", 295'878},
                                                      {"lm/wikitext_valid.txt", 258'660}};
  for (const auto& [name, num_tokens] : rows) {
    const auto documents = read_documents(*data / name);
    ASSERT_TRUE(documents.has_value()) << documents.error().message;
    EXPECT_EQ(tokenize_documents(*documents, tokenizer).tokens.size(), num_tokens) << name;
  }
}

}  // namespace
}  // namespace portolan
