#include "exec/data/piece_splitter.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "random_text.h"

namespace portolan {
namespace {

/// Pieces joined by '|'.
std::string pieces_of(PieceSplitter& splitter, std::string_view text) {
  std::string joined;
  splitter.start(text);
  while (const auto piece = splitter.next_piece()) {
    joined += joined.empty() ? "" : "|";
    joined += *piece;
  }
  return joined;
}

TEST(PieceSplitter, CutsAsTheTableSays) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"", ""},
      {"a", "a"},
      {"Hello world! This is GPT-2's tokenizer.", "Hello| world|!| This| is| GPT|-|2|'s| tokenizer|."},
      {"I've we'll they'd can't", "I|'ve| we|'ll| they|'d| can|'t"},
      {"I'VE", "I|'|VE"},
      {"in 1769abc", "in| 1769|abc"},
      {"two  spaces", "two| | spaces"},
      {"end   ", "end|   "},
      {"a\n\nb", "a|\n|\n|b"},
      {"a \n b", "a| \n| b"},
      {"?! ...", "?!| ..."},
      {"\u00e9t\u00e9 \u65e5\u672c", "\u00e9t\u00e9| \u65e5\u672c"},
      {"a\u00a0b", "a|\u00a0|b"},
      {"\xff", "\xff"},
      {"ab\xff\xfe cd", "ab|\xff|\xfe| cd"},
      {"a  \xffz", "a|  |\xff|z"},
      {"\xe2\x82", "\xe2|\x82"},
      {"\xe2\x82\xac", "\xe2\x82\xac"},
      {"\xc0\xaf\xed\xa0\x80", "\xc0|\xaf|\xed|\xa0|\x80"},
  };
  PieceSplitter splitter;
  for (const auto& [text, expected] : rows) {
    EXPECT_EQ(pieces_of(splitter, text), expected) << text;
  }
}

TEST(PieceSplitter, PiecesJoinedAreTheText) {
  RandomStream random(1, "piece_splitter_test");
  PieceSplitter splitter;
  for (int trial = 0; trial < 2000; ++trial) {
    const std::string text = trial % 2 == 0 ? random_bytes(random, 60) : random_text(random, 60);
    std::string joined;
    splitter.start(text);
    while (const auto piece = splitter.next_piece()) {
      ASSERT_FALSE(piece->empty());
      joined += *piece;
    }
    ASSERT_EQ(joined, text) << "trial " << trial;
  }
}

TEST(PieceSplitter, TakesLongRunsWhole) {
  constexpr std::size_t kSize = 1U << 21U;
  PieceSplitter splitter;
  for (const char c : {'a', '7', '.', ' '}) {
    const std::string run(kSize, c);
    splitter.start(run);
    const auto piece = splitter.next_piece();
    ASSERT_TRUE(piece.has_value());
    EXPECT_EQ(piece->size(), kSize) << "run of '" << c << "'";
  }
}

}  // namespace
}  // namespace portolan
