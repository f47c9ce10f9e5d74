#include "exec/data/byte_pair_vocabulary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "exec/data/byte_alphabet.h"

namespace portolan {
namespace {

constexpr const char* kTheMerges = "#version: 0.2\nt h\nth e\nĠ the\n";

BytePairVocabulary the_vocabulary() {
  auto vocabulary = parse_merges(kTheMerges, "the.bpe");
  EXPECT_TRUE(vocabulary.has_value());
  return *vocabulary;
}

/// The encoder.json of a vocabulary with the ids that `id_of` gives for the conventional ones.
template <typename IdOf>
nlohmann::json encoder_of(const BytePairVocabulary& vocabulary, IdOf id_of) {
  nlohmann::json encoder = nlohmann::json::object();
  std::vector<std::string> texts(byte_alphabet().symbols.begin(), byte_alphabet().symbols.end());
  for (const BytePairMerge& merge : vocabulary.merges) {
    texts.push_back(texts[static_cast<std::size_t>(merge.left)] +
                    texts[static_cast<std::size_t>(merge.right)]);
  }
  texts.emplace_back(kEndOfTextSymbol);
  for (std::size_t symbol = 0; symbol < texts.size(); ++symbol) {
    encoder[texts[symbol]] = id_of(conventional_ids(vocabulary.merges.size())[symbol]);
  }
  return encoder;
}

TEST(ByteAlphabet, IsThatOfGpt2) {
  const ByteAlphabet& alphabet = byte_alphabet();
  EXPECT_EQ(alphabet.symbols['!'], "!");
  EXPECT_EQ(alphabet.symbols['~'], "~");
  EXPECT_EQ(alphabet.symbols[' '], "Ġ");
  EXPECT_EQ(alphabet.symbols['\n'], "Ċ");
  EXPECT_EQ(alphabet.symbols[0], "Ā");
  EXPECT_EQ(alphabet.symbols[0xad], "Ń");
  EXPECT_EQ(alphabet.symbols[0xff], "ÿ");
  EXPECT_EQ(alphabet.order[0], '!');
  EXPECT_EQ(alphabet.order[187], 0xff);
  EXPECT_EQ(alphabet.order[188], 0);
  EXPECT_EQ(alphabet.order[198], '\n');
  EXPECT_EQ(alphabet.order[220], ' ');
  EXPECT_EQ(alphabet.order[255], 0xad);
}

TEST(ParseMerges, GivesSymbolsAndConventionalIds) {
  const BytePairVocabulary vocabulary = the_vocabulary();
  const std::vector<BytePairMerge> expected = {{'t', 'h'}, {256, 'e'}, {' ', 257}};
  EXPECT_EQ(vocabulary.merges, expected);
  EXPECT_EQ(vocabulary.num_entries(), 260);
  EXPECT_EQ(vocabulary.end_of_text_id(), 259);
  EXPECT_EQ(vocabulary.ids['!'], 0);
  EXPECT_EQ(vocabulary.ids[' '], 220);
  EXPECT_EQ(vocabulary.ids[258], 258);
  EXPECT_EQ(symbol_bytes(vocabulary)[258], " the");
  EXPECT_EQ(format_merges(vocabulary), kTheMerges);
}

TEST(ParseMerges, TheLastLineNeedsNoLineEnd) {
  const std::string text = kTheMerges;
  const auto vocabulary = parse_merges(text.substr(0, text.size() - 1), "the.bpe");
  ASSERT_TRUE(vocabulary.has_value());
  EXPECT_EQ(*vocabulary, the_vocabulary());
}

TEST(ParseMerges, Errors) {
  const std::string not_merge = " is not a merge (two symbols with one space between them)";
  const std::string no_symbol =
      " is no symbol yet (a merge joins bytes of GPT-2's alphabet and results of earlier lines)";
  struct Row {
    std::string text;
    std::string message;
  };
  const std::vector<Row> rows = {
      {"", R"(x.bpe:1: "" is not the first line of a merges file ("#version: 0.2"))"},
      {"t h\n", R"(x.bpe:1: "t h" is not the first line of a merges file ("#version: 0.2"))"},
      {"#version: 0.2\r\nt h\r\n",
       R"(x.bpe:1: "#version: 0.2\x0d" is not the first line of a merges file ("#version: 0.2"))"},
      {"#version: 0.2\nth\n", R"(x.bpe:2: "th")" + not_merge},
      {"#version: 0.2\nt h\n\nt e\n", R"(x.bpe:3: "")" + not_merge},
      {"#version: 0.2\nt  h\n", R"(x.bpe:2: "t  h")" + not_merge},
      {"#version: 0.2\nt h e\n", R"(x.bpe:2: "t h e")" + not_merge},
      {"#version: 0.2\n t\n", R"(x.bpe:2: " t")" + not_merge},
      {"#version: 0.2\nt \n", R"(x.bpe:2: "t ")" + not_merge},
      {"#version: 0.2\nth e\nt h\n", R"(x.bpe:2: "th")" + no_symbol},
      {"#version: 0.2\nt h\r\n", R"(x.bpe:2: "h\x0d")" + no_symbol},
      {"#version: 0.2\nt \xff\n", R"(x.bpe:2: "\xff")" + no_symbol},
      {"#version: 0.2\nt h\nt h\n",
       R"(x.bpe:3: "th" is made again, first by line 2 (each merge makes a new symbol))"},
      {"#version: 0.2\nt h\nh e\nth e\nt he\n",
       R"(x.bpe:5: "the" is made again, first by line 4 (each merge makes a new symbol))"},
      {"#version: 0.2\n< |\n<| e\n<|e n\n<|en d\n<|end o\n<|endo f\n<|endof t\n<|endoft e\n<|endofte x\n"
       "<|endoftex t\n<|endoftext |\n<|endoftext| >\n",
       R"(x.bpe:13: "<|endoftext|>" is the end-of-text mark, which no merge may make)"},
  };
  for (const Row& row : rows) {
    const auto vocabulary = parse_merges(row.text, "x.bpe");
    ASSERT_FALSE(vocabulary.has_value()) << row.message;
    EXPECT_EQ(vocabulary.error(), bad_input(row.message));
  }
}

TEST(WithEncoderIds, TakesAnyPermutation) {
  const BytePairVocabulary vocabulary = the_vocabulary();
  const auto same =
      with_encoder_ids(vocabulary, encoder_of(vocabulary, [](int id) { return id; }).dump(), "e");
  ASSERT_TRUE(same.has_value()) << same.error().message;
  EXPECT_EQ(*same, vocabulary);

  const auto turned =
      with_encoder_ids(vocabulary, encoder_of(vocabulary, [](int id) { return 259 - id; }).dump(2), "e");
  ASSERT_TRUE(turned.has_value()) << turned.error().message;
  EXPECT_EQ(turned->end_of_text_id(), 0);
  EXPECT_EQ(turned->ids['!'], 259);
}

TEST(WithEncoderIds, Errors) {
  const std::string not_object = " is not an object (of \"symbol\": id)";
  const std::string not_json = ": not JSON (one object, \"symbol\": id, is expected)";
  const std::string not_id = " is not a token id (a whole number from 0)";
  struct Row {
    std::string json;
    std::string message;
  };
  const std::vector<Row> rows = {
      {"", "e.json:1" + not_json},
      {"{\n\"a\": 1,\n", "e.json:3" + not_json},
      {"{\"a\": 1} {}", "e.json:1" + not_json},
      {"{\"\xff\": 1}", "e.json:1" + not_json},
      {"[]", "e.json:1: an array" + not_object},
      {"\n7", "e.json:2: 7" + not_object},
      {"{\n\"a\": -1}", "e.json:2: \"a\": -1" + not_id},
      {"{\n\"a\":\n1.5}", "e.json:2: \"a\": \"1.5\"" + not_id},
      {"{\"a\": \"b\"}", "e.json:1: \"a\": \"b\"" + not_id},
      {"{\"a\": null}", "e.json:1: \"a\": null" + not_id},
      {"{\"a\": true}", "e.json:1: \"a\": true" + not_id},
      {"{\"a\": []}", "e.json:1: \"a\": an array" + not_id},
      {"{\"a\": {}}", "e.json:1: \"a\": an object" + not_id},
      {"{\n\"a\": 1,\n\"xy\": 2}",
       "e.json:3: \"xy\": is neither a byte, nor made by a merge, nor <|endoftext|>"},
      {"{\n\"a\": 1,\n\"a\": 2}", "e.json:3: \"a\": is given twice"},
      {"{\n\"a\": 260}", "e.json:2: \"a\": id 260 is outside 0..259"},
      {"{\"a\": 18446744073709551615}", "e.json:1: \"a\": id 18446744073709551615 is outside 0..259"},
      {"{\n\"a\": 1,\n\"b\": 1}", "e.json:3: \"b\": id 1 is given twice"},
      {"{\"a\": 1}", "e.json: \"Ā\" is missing (1 entries, 260 needed for 3 merges)"},
  };
  for (const Row& row : rows) {
    const auto vocabulary = with_encoder_ids(the_vocabulary(), row.json, "e.json");
    ASSERT_FALSE(vocabulary.has_value()) << row.message;
    EXPECT_EQ(vocabulary.error(), bad_input(row.message));
  }
}

TEST(SaveVocabulary, IsReadBack) {
  const auto folder = std::filesystem::path(testing::TempDir());
  const auto merges_path = folder / "portolan_vocabulary_test.bpe";
  const auto encoder_path = folder / "portolan_vocabulary_test.json";
  const BytePairVocabulary vocabulary = the_vocabulary();
  ASSERT_TRUE(save_vocabulary(vocabulary, merges_path).has_value());
  const auto loaded = load_vocabulary(merges_path);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  EXPECT_EQ(*loaded, vocabulary);

  const std::string encoder = encoder_of(vocabulary, [](int id) { return 259 - id; }).dump();
  ASSERT_TRUE(write_file_atomically(encoder_path, encoder).has_value());
  const auto turned = load_gpt2_vocabulary(encoder_path, merges_path);
  ASSERT_TRUE(turned.has_value()) << turned.error().message;
  const auto refused = save_vocabulary(*turned, merges_path);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message,
            merges_path.string() +
                ": a merges file cannot hold the ids of this vocabulary (only those that "
                "follow from the merges)");
  std::filesystem::remove(merges_path);
  std::filesystem::remove(encoder_path);

  const auto missing = load_vocabulary(merges_path);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().message, merges_path.string() + ": no such file");
}

}  // namespace
}  // namespace portolan
