#include "report/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <numeric>

namespace portolan {

namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 12;

/// Lines of at most `width` characters, broken at spaces where there are any.
std::vector<std::string> wrap(const std::string& text, std::size_t width) {
  std::vector<std::string> lines;
  std::string rest = text;
  while (rest.size() > width) {
    std::size_t cut = rest.rfind(' ', width);
    if (cut == std::string::npos || cut == 0) {
      cut = width;
    }
    lines.push_back(rest.substr(0, cut));
    rest.erase(0, rest[cut] == ' ' ? cut + 1 : cut);
  }
  lines.push_back(rest);
  return lines;
}

std::vector<std::size_t> column_widths(const std::vector<Column>& columns,
                                       const std::vector<std::vector<std::string>>& rows, std::size_t width) {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    std::size_t widest = columns[c].header.size();
    for (const auto& row : rows) {
      widest = std::max(widest, row[c].size());
    }
    widths.push_back(widest);
  }
  const auto total = [&] {
    return std::accumulate(widths.begin(), widths.end(), kGap * (widths.size() - 1));
  };
  while (total() > width) {
    std::size_t widest = columns.size();
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (columns[c].wraps && widths[c] > kNarrowest &&
          (widest == columns.size() || widths[c] > widths[widest])) {
        widest = c;
      }
    }
    if (widest == columns.size()) {
      break;
    }
    --widths[widest];
  }
  return widths;
}

void append_line(std::string& out, std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  out += line + '\n';
}

void append_row(std::string& out, const std::vector<Column>& columns, const std::vector<std::string>& cells,
                const std::vector<std::size_t>& widths) {
  std::vector<std::vector<std::string>> wrapped;
  std::size_t height = 1;
  for (std::size_t c = 0; c < cells.size(); ++c) {
    wrapped.push_back(wrap(cells[c], std::max<std::size_t>(widths[c], 1)));
    height = std::max(height, wrapped.back().size());
  }
  for (std::size_t l = 0; l < height; ++l) {
    std::string line;
    for (std::size_t c = 0; c < cells.size(); ++c) {
      const std::string cell = l < wrapped[c].size() ? wrapped[c][l] : "";
      const std::string padding(widths[c] - std::min(widths[c], cell.size()), ' ');
      line += columns[c].align == Column::Align::kLeft ? cell + padding : padding + cell;
      line += c + 1 < cells.size() ? std::string(kGap, ' ') : "";
    }
    append_line(out, line);
  }
}

}  // namespace

std::string render_table(const std::vector<Column>& columns,
                         const std::vector<std::vector<std::string>>& rows, std::size_t width) {
  assert(!columns.empty());
  const std::vector<std::size_t> widths = column_widths(columns, rows, width);
  std::vector<std::string> headers;
  std::vector<std::string> rules;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    headers.push_back(columns[c].header);
    rules.emplace_back(widths[c], '-');
  }
  std::string out;
  append_row(out, columns, headers, widths);
  append_row(out, columns, rules, widths);
  for (const auto& row : rows) {
    assert(row.size() == columns.size());
    append_row(out, columns, row, widths);
  }
  return out;
}

std::string percent_cell(const std::optional<double>& value) {
  return value ? fmt::format("{:.1f}", *value) : "-";
}

std::string signed_percent_cell(const std::optional<double>& value) {
  return value ? fmt::format("{:+.1f}", *value) : "-";
}

}  // namespace portolan
