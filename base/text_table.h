#pragma once

#include <string>
#include <vector>

namespace portolan {

/// A table of texts for files. Each row has one field a column.
struct TextTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

/// Comma-separated values (RFC 4180) with a header; fields with commas, quotes or line ends are quoted.
std::string write_csv(const TextTable& table);

/// A table of Markdown; a "|" within a field is escaped.
std::string write_markdown(const TextTable& table);

}  // namespace portolan
