#include "catalog/json/json_value.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "catalog/document/json_parser.h"

namespace portolan {
namespace {

TEST(JsonValue, NumbersAreTheShortestThatReadBack) {
  EXPECT_EQ(write_json_line(0.1), "0.1");
  EXPECT_EQ(write_json_line(1.0 / 3), "0.3333333333333333");
  EXPECT_EQ(write_json_line(-0.0), "-0.0");
  EXPECT_EQ(write_json_line(std::nan("")), "null");
  EXPECT_EQ(write_json_line(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(write_json_line(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
}

TEST(JsonValue, TextsAreEscaped) {
  EXPECT_EQ(write_json_line("a\"b\\c\nd\te\x01"), R"("a\"b\\c\nd\u0009e\u0001")");
}

TEST(JsonValue, LaysOutListsOfListsOneItemALine) {
  JsonValue order = JsonValue::array();
  order.append(JsonValue::array().append("forward 0").append(0))
      .append(JsonValue::array().append("backward 0").append(0));
  EXPECT_EQ(write_json(JsonValue::object().set("empty", JsonValue::array()).set("order", std::move(order))),
            "{\n"
            " \"empty\": [],\n"
            " \"order\": [\n"
            "  [\"forward 0\", 0],\n"
            "  [\"backward 0\", 0]\n"
            " ]\n"
            "}\n");
}

TEST(JsonValue, YamlQuotesWhatWouldReadAsSomethingElse) {
  EXPECT_EQ(write_yaml(JsonValue::object()
                           .set("a", "null")
                           .set("b", "x: y")
                           .set("c", "80 GiB")
                           .set("d", "")
                           .set("e", "- f")),
            "a: \"null\"\nb: \"x: y\"\nc: 80 GiB\nd: \"\"\ne: \"- f\"\n");
}

TEST(JsonParser, KeepsTheLinesOfKeys) {
  const DocumentNode root =
      parse_json("{\n\"a\": 1,\n\n\"b\": [2\n,\n3]}", "x.json", Notation::kNumbers).value();
  EXPECT_EQ(root.entries.at(0).value.line, 2);
  EXPECT_EQ(root.entries.at(1).value.line, 4);
  EXPECT_EQ(root.entries.at(1).value.items.at(1).scalar, "3");
}

}  // namespace
}  // namespace portolan
