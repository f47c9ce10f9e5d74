#pragma once

#include <optional>
#include <string>
#include <vector>

namespace portolan {

/// A column of a table for terminals.
struct Column {
  enum class Align { kLeft, kRight };
  std::string header;
  Align align = Align::kRight;
  bool wraps = false;  ///< its text may take several lines when the table is too wide
};

/// Plain text, two spaces between columns, a rule under the header, no line longer than `width`: where the
/// columns that do not wrap leave the others less than 12 characters each, those at the end go below their
/// row, and only where the others alone are wider is the table too. Text is ASCII. Precondition: each row has
/// one cell a column.
std::string render_table(const std::vector<Column>& columns,
                         const std::vector<std::vector<std::string>>& rows, std::size_t width);

/// "5.1"; "-" where there is none.
std::string percent_cell(const std::optional<double>& value);
/// "+5.1", "-0.4".
std::string signed_percent_cell(const std::optional<double>& value);

}  // namespace portolan
