#include "tests/unit/cli/published_rows.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace portolan {

namespace {

/// Fields of a line, quoted ones without their quotes. Lines may end in CR LF.
std::vector<std::string> split_fields(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += line[i++];
    } else if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == ',' && !quoted) {
      fields.emplace_back();
    } else if (line[i] != '\r') {
      fields.back() += line[i];
    }
  }
  return fields;
}

}  // namespace

void PublishedMeasurements::SetUp() {
  const char* folder = std::getenv("PORTOLAN_TRUTH");
  if (folder == nullptr || *folder == '\0') {
    GTEST_SKIP() << "PORTOLAN_TRUTH names no folder of published measurements";
  }
  folder_ = folder;
}

std::vector<Row> PublishedMeasurements::rows_of(const std::string& name) const {
  std::ifstream file(folder_ + "/" + name);
  std::string line;
  std::getline(file, line);
  const std::vector<std::string> header = split_fields(line);
  std::vector<Row> rows;
  while (std::getline(file, line)) {
    const std::vector<std::string> fields = split_fields(line);
    Row row;
    for (std::size_t i = 0; i < std::min(header.size(), fields.size()); ++i) {
      row[header[i]] = fields[i];
    }
    rows.push_back(std::move(row));
  }
  EXPECT_FALSE(rows.empty()) << name;
  return rows;
}

}  // namespace portolan
