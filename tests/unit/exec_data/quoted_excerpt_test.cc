#include "exec/data/quoted_excerpt.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace portolan {
namespace {

TEST(QuotedExcerpt, IsOneShortLine) {
  const std::pair<std::string, std::string> rows[] = {
      {"", R"("")"},
      {"plain", R"("plain")"},
      {"say \"a\\b\"", R"("say \"a\\b\"")"},
      {"\u0120the", "\"\u0120the\""},
      {std::string("a\n\t\0b", 5), R"("a\x0a\x09\x00b")"},
      {"\xff\xe2\x82", R"("\xff\xe2\x82")"},
      {std::string(48, 'x'), "\"" + std::string(48, 'x') + "\""},
      {std::string(49, 'x'), "\"" + std::string(48, 'x') + "...\""},
      {std::string(47, 'x') + "\u0120y", "\"" + std::string(47, 'x') + "\u0120...\""},
  };
  for (const auto& [text, expected] : rows) {
    EXPECT_EQ(quoted_excerpt(text), expected);
  }
}

}  // namespace
}  // namespace portolan
