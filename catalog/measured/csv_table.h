#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portolan {

/// A table of comma-separated values (RFC 4180) with a header.
class CsvTable {
 public:
  struct Row {
    std::int64_t line = 0;  ///< where it begins
    std::vector<std::string> fields;
  };

  /// At most 64 MiB. Errors (kBadInput) with `file` and line: no header, a column twice or without a name,
  /// a row with more or fewer fields than the header, quotes in the wrong place, bytes that are no text.
  static Result<CsvTable> parse(std::string_view text, const std::string& file);

  const std::string& file() const { return file_; }
  const std::vector<std::string>& columns() const { return columns_; }
  const std::vector<Row>& rows() const { return rows_; }
  std::optional<std::size_t> find_column(std::string_view name) const;

 private:
  std::string file_;
  std::vector<std::string> columns_;
  std::vector<Row> rows_;
};

/// A row's fields by their columns' names. An empty field, or one whose column the table lacks, is unknown.
class CsvFields {
 public:
  CsvFields(const CsvTable& table, const CsvTable::Row& row) : table_(table), row_(row) {}

  std::string text(std::string_view column) const;
  /// Errors (kBadInput): no number, not finite, or outside the range, with file, line and column.
  Result<std::optional<double>> number(std::string_view column, double least, double most) const;
  Result<std::optional<std::int64_t>> whole(std::string_view column, std::int64_t least,
                                            std::int64_t most) const;
  /// `"TABLE.csv:7: tp: "x" MESSAGE"`.
  Error refused(std::string_view column, std::string_view message) const;

 private:
  const CsvTable& table_;
  const CsvTable::Row& row_;
};

}  // namespace portolan
