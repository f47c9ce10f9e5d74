#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace portolan {

/// A line of a table by the names of its columns; an empty cell is unknown.
using Row = std::map<std::string, std::string>;

/// Published measurements: the folder that PORTOLAN_TRUTH names; skipped where it names none.
class PublishedMeasurements : public testing::Test {
 protected:
  void SetUp() override;

  /// Comma-separated values with a line of names (RFC 4180, no line breaks within fields).
  std::vector<Row> rows_of(const std::string& name) const;

  std::string folder_;
};

}  // namespace portolan
