#include "report/table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace portolan {
namespace {

const std::vector<Column> kColumns{{.header = "#"},
                                   {.header = "strategy", .align = Column::Align::kLeft, .wraps = true},
                                   {.header = "step"}};

TEST(Table, AlignsColumns) {
  EXPECT_EQ(render_table(kColumns, {{"1", "tp8 pp8", "16.5 s"}, {"10", "tp4", "9 s"}}, 80),
            " #  strategy    step\n"
            "--  --------  ------\n"
            " 1  tp8 pp8   16.5 s\n"
            "10  tp4          9 s\n");
}

TEST(Table, WrapsLongTextAtSpaces) {
  std::istringstream lines(render_table(kColumns, {{"1", "tp8 pp8 dp8 mb1 1f1b full", "1 s"}}, 24));
  std::string line;
  int count = 0;
  for (; std::getline(lines, line); ++count) {
    EXPECT_LE(line.size(), 24U) << line;
  }
  EXPECT_EQ(count, 4) << "header, rule and a row of two lines";
}

TEST(Table, BreaksWordsThatAreTooLong) {
  std::istringstream lines(render_table(kColumns, {{"1", std::string(70, 'x'), "1 s"}}, 40));
  std::string line;
  std::size_t x_count = 0;
  while (std::getline(lines, line)) {
    EXPECT_LE(line.size(), 40U);
    x_count += static_cast<std::size_t>(std::count(line.begin(), line.end(), 'x'));
  }
  EXPECT_EQ(x_count, 70U) << "no character is lost";
}

TEST(Table, PutsTextBelowItsRowWhereItWouldBeTooNarrow) {
  const std::vector<Column> columns = {
      {"id"}, {"time s"}, {"plan", Column::Align::kLeft, true}, {"note", Column::Align::kLeft, true}};
  EXPECT_EQ(render_table(columns,
                         {{"1", "16.50", "tp8 pp8 dp8 mb1", "vocab=51200"},
                          {"10", "9.00", "tp4", ""},
                          {"11", "7.00", "", ""}},
                         26),
            "id  time s\n"
            "  plan  note\n"
            "--  ------\n"
            " 1   16.50\n"
            "  tp8 pp8 dp8 mb1\n"
            "  vocab=51200\n"
            "10    9.00\n"
            "  tp4\n"
            "11    7.00\n");
}

TEST(Table, BreaksWordsAfterHyphens) {
  const std::vector<Column> columns = {{"source", Column::Align::kLeft, true}, {"s"}};
  EXPECT_EQ(render_table(columns, {{"narayanan-2021", "1"}}, 15),
            "source        s\n"
            "------------  -\n"
            "narayanan-    1\n"
            "2021\n");
}

}  // namespace
}  // namespace portolan
