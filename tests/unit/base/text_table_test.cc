#include "base/text_table.h"

#include <gtest/gtest.h>

namespace portolan {
namespace {

TEST(TextTable, FieldsAreQuotedWhereTheyMust) {
  const TextTable table{.columns = {"a", "b"}, .rows = {{"1", "x, \"y\""}, {"", "p|q"}}};
  EXPECT_EQ(write_csv(table), "a,b\n1,\"x, \"\"y\"\"\"\n,p|q\n");
  EXPECT_EQ(write_markdown(table), "| a | b |\n|---|---|\n| 1 | x, \"y\" |\n|  | p\\|q |\n");
}

}  // namespace
}  // namespace portolan
