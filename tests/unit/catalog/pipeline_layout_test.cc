#include "catalog/pipeline_layout.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace portolan {
namespace {

using Layers = std::vector<std::int32_t>;

TEST(PipelineLayout, GivesTheLayersOfEachVirtualStage) {
  const std::vector<std::pair<std::string, Layers>> table = {
      {"EtL", {1}},
      {"Et*4L", {4}},
      {"Ett|ttt|tL", {2, 3, 1}},
      {"E|t|t|L", {0, 1, 1, 0}},
      {"E,t*2 | (tt|)*2 L", {2, 2, 2, 0}},
      {"E(t|)*3tL", {1, 1, 1, 1}},
      {"E((t*2|)*2t|)*2L", {2, 2, 1, 2, 2, 1, 0}},
      {"Et|*1tL", {1, 1}},
      {"E()*5t|tL", {1, 1}},
  };
  for (const auto& [text, layers] : table) {
    const auto read = parse_pipeline_layout(text);
    ASSERT_TRUE(read) << text << ": " << read.error().message;
    EXPECT_EQ(*read, layers) << text;
  }
}

// The user guide's own example, without its multi-token prediction layer: 61 layers on 16 ranks, two chunks
// each.
TEST(PipelineLayout, OfTheUserGuide) {
  const Layers layers = parse_pipeline_layout("Et*3|(tt|)*29,t|L").value();
  ASSERT_EQ(layers.size(), 32U);
  EXPECT_EQ(layers.front(), 3);
  for (std::size_t stage = 1; stage < 30; ++stage) {
    EXPECT_EQ(layers[stage], 2) << stage;
  }
  EXPECT_EQ(layers[30], 1);
  EXPECT_EQ(layers[31], 0);
}

TEST(PipelineLayout, SaysWhatIsWrongInOneLine) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"", "does not begin with E, the embedding, once"},
      {"tL", "does not begin with E, the embedding, once"},
      {"EtEL", "does not begin with E, the embedding, once"},
      {"t|EtL", "does not begin with E, the embedding, once"},
      {"Et", "does not end with L, the loss, once"},
      {"EtL|t", "does not end with L, the loss, once"},
      {"EtL|", "does not end with L, the loss, once"},
      {"EtLL", "does not end with L, the loss, once"},
      {"E(t|L", "has a \"(\" without its \")\""},
      {"Et)|L", "has a \")\" without its \"(\""},
      {"Ex|L", "has \"x\" (allowed: E, t, L, \"|\", \"*\" and a number, parentheses, commas)"},
      {"E*t|L", "repeats by \"\" (allowed: 1 to 100000)"},
      {"Et*0|L", "repeats by \"0\" (allowed: 1 to 100000)"},
      {"Et*99999999999999999999|L", "repeats by \"99999999999999999999\" (allowed: 1 to 100000)"},
      {"E((t*1000)*1000)*1000L", "is too long written out (allowed: up to 100000 symbols)"},
  };
  for (const auto& [text, message] : table) {
    const auto read = parse_pipeline_layout(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().message, "\"" + text + "\" " + message);
    EXPECT_EQ(read.error().kind, ErrorKind::kBadInput);
  }
}

TEST(PipelineLayout, SaysWhatIsNotThereYet) {
  for (const std::string text : {"Et|tmL", "E||t|L"}) {
    const auto read = parse_pipeline_layout(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().kind, ErrorKind::kBadInput);
    EXPECT_NE(read.error().message.find("not available yet"), std::string::npos) << read.error().message;
  }
}

// Groups within groups are copied once a level: bounded, however deep.
TEST(PipelineLayout, DeepGroupsEndSoon) {
  const std::string deep = "E" + std::string(200'000, '(') + "t" + std::string(200'000, ')') + "L";
  EXPECT_EQ(parse_pipeline_layout(deep).error().kind, ErrorKind::kBadInput);
}

TEST(PipelineLayout, ReadsWhatItWrites) {
  EXPECT_EQ(write_pipeline_layout({3, 1, 4}), "Et*3|t|t*4L");
  for (const Layers& layers : {Layers{5}, Layers{0, 1, 0}, Layers{2, 10, 1}}) {
    const auto again = parse_pipeline_layout(write_pipeline_layout(layers));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, layers);
  }
}

}  // namespace
}  // namespace portolan
