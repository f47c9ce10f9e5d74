#pragma once

#include <string>
#include <vector>

#include "study/sweep.h"

namespace portolan {

/// The answers of a sweep as text fields, one row a point (docs/sweep.md lists the columns). A field that is
/// not known is empty.
struct SweepTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  std::size_t num_keys = 0;  ///< columns at the front that are varied keys

  bool operator==(const SweepTable&) const = default;
};

/// A table for the points, without rows. Those that state tokens to train on make columns of a whole run.
SweepTable empty_table(const std::vector<VariedKey>& varied, const std::vector<SweepPoint>& points);
std::vector<std::string> sweep_row(const SweepTable& table, const SweepPoint& point,
                                   const SweepAnswer& answer);

/// Comma-separated values (RFC 4180) with a header.
std::string write_sweep_table(const SweepTable& table);

/// Of `points` in order, the rows that the text of an earlier table has; nothing for the others. Errors
/// (kBadInput) with `file` and line: no such table, other columns, or a row that another question, scenario
/// or version of the program made.
Result<std::vector<std::vector<std::string>>> read_finished_rows(const SweepTable& table,
                                                                 const std::vector<SweepPoint>& points,
                                                                 std::string_view text,
                                                                 const std::string& file);

}  // namespace portolan
