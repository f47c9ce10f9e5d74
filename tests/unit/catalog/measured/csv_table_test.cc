#include "catalog/measured/csv_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace portolan {
namespace {

std::string error_of(const std::string& text) {
  const auto table = CsvTable::parse(text, "t.csv");
  return table ? "no error" : table.error().message;
}

TEST(CsvTable, ReadsQuotesCommasAndLinesInFields) {
  const auto table = CsvTable::parse("id,what\r\n1,\"a, \"\"b\"\"\"\r\n\n2,\"two\nlines\"\n3,last", "t.csv");
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->columns(), (std::vector<std::string>{"id", "what"}));
  ASSERT_EQ(table->rows().size(), 3U);
  EXPECT_EQ(table->rows()[0].fields, (std::vector<std::string>{"1", "a, \"b\""}));
  EXPECT_EQ(table->rows()[1].fields, (std::vector<std::string>{"2", "two\nlines"}));
  EXPECT_EQ(table->rows()[2].fields, (std::vector<std::string>{"3", "last"}));
  EXPECT_EQ(table->rows()[0].line, 2);
  EXPECT_EQ(table->rows()[1].line, 4);
  EXPECT_EQ(table->rows()[2].line, 6);
}

TEST(CsvTable, SaysWhereAndWhatIsWrongInOneLine) {
  EXPECT_EQ(error_of(""), "t.csv: is empty (a first line with the columns' names is needed)");
  EXPECT_EQ(error_of("a,b\n1,2\n3\n"), "t.csv:3: 1 fields (the header has 2)");
  EXPECT_EQ(error_of("a,b\n\"1\n2\",2\n3,4,5\n"), "t.csv:4: 3 fields (the header has 2)");
  EXPECT_EQ(error_of("a,a\n"), "t.csv:1: column 1: \"a\" is there twice");
  EXPECT_EQ(error_of("a,,c\n"), "t.csv:1: column 2: \"\" is no name");
  EXPECT_EQ(
      error_of("a,b\n1,2 \"two\"\n"),
      "t.csv:2: a quote in the wrong place (a field with quotes is put in quotes, each of its own doubled)");
  EXPECT_EQ(error_of("a,b\n1,\"2\n"), "t.csv: ends inside a field in quotes");
}

TEST(CsvFields, NumbersAreWholeFieldsWithinTheirRange) {
  const auto table = CsvTable::parse("n,x\n7,1e3\n,\n-1,nan\n7.5,0x10\n", "t.csv");
  ASSERT_TRUE(table) << table.error().message;
  const auto fields = [&](std::size_t row) { return CsvFields(*table, table->rows()[row]); };
  EXPECT_EQ(*fields(0).whole("n", 1, 9), 7);
  EXPECT_EQ(*fields(0).number("x", 0, 1e6), 1000.0);
  EXPECT_EQ(*fields(1).whole("n", 1, 9), std::nullopt);
  EXPECT_EQ(*fields(1).number("x", 0, 1), std::nullopt);
  EXPECT_EQ(*fields(1).number("not there", 0, 1), std::nullopt);
  EXPECT_EQ(fields(2).whole("n", 1, 9).error().message,
            "t.csv:4: n: \"-1\" is not a whole number (allowed: 1 to 9, or nothing)");
  EXPECT_EQ(fields(2).number("x", 0, 1).error().message,
            "t.csv:4: x: \"nan\" is not a number (allowed: 0 to 1, or nothing)");
  EXPECT_FALSE(fields(3).whole("n", 1, 9));
  EXPECT_FALSE(fields(3).number("x", 0, 100));
}

}  // namespace
}  // namespace portolan
