#include "report/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <numeric>

namespace portolan {

namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 12;

/// Lines of at most `width` characters, broken at spaces where there are any, else after hyphens.
std::vector<std::string> wrap(const std::string& text, std::size_t width) {
  std::vector<std::string> lines;
  std::string rest = text;
  while (rest.size() > width) {
    std::size_t cut = rest.rfind(' ', width);
    if (cut == std::string::npos || cut == 0) {
      cut = rest.rfind('-', width - 1) + 1;  // 0: none
    }
    if (cut == 0) {
      cut = width;
    }
    lines.push_back(rest.substr(0, cut));
    rest.erase(0, rest[cut] == ' ' ? cut + 1 : cut);
  }
  lines.push_back(rest);
  return lines;
}

std::size_t total_width(const std::vector<std::size_t>& widths) {
  return std::accumulate(widths.begin(), widths.end(), kGap * (widths.size() - 1));
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
  while (total_width(widths) > width) {
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

/// Of the columns that have a width.
void append_row(std::string& out, const std::vector<Column>& columns, const std::vector<std::string>& cells,
                const std::vector<std::size_t>& widths) {
  std::vector<std::vector<std::string>> wrapped;
  std::size_t height = 1;
  for (std::size_t c = 0; c < widths.size(); ++c) {
    wrapped.push_back(wrap(cells[c], std::max<std::size_t>(widths[c], 1)));
    height = std::max(height, wrapped.back().size());
  }
  for (std::size_t l = 0; l < height; ++l) {
    std::string line;
    for (std::size_t c = 0; c < widths.size(); ++c) {
      const std::string cell = l < wrapped[c].size() ? wrapped[c][l] : "";
      const std::string padding(widths[c] - std::min(widths[c], cell.size()), ' ');
      line += columns[c].align == Column::Align::kLeft ? cell + padding : padding + cell;
      line += c + 1 < widths.size() ? std::string(kGap, ' ') : "";
    }
    append_line(out, line);
  }
}

/// How many columns come before those at the end whose text may take several lines.
std::size_t num_before_last_wrapping(const std::vector<Column>& columns) {
  const auto last_fixed =
      std::find_if(columns.rbegin(), columns.rend(), [](const Column& column) { return !column.wraps; });
  return static_cast<std::size_t>(columns.rend() - last_fixed);
}

/// The cells from `first` on, on lines of their own.
void append_below(std::string& out, const std::vector<std::string>& cells, std::size_t first,
                  std::size_t width) {
  std::string text;
  for (std::size_t c = first; c < cells.size(); ++c) {
    text += (text.empty() || cells[c].empty() ? "" : std::string(kGap, ' ')) + cells[c];
  }
  if (text.empty()) {
    return;
  }
  for (const std::string& line : wrap(text, std::max(width, kNarrowest) - kGap)) {
    append_line(out, std::string(kGap, ' ') + line);
  }
}

}  // namespace

std::string render_table(const std::vector<Column>& columns,
                         const std::vector<std::vector<std::string>>& rows, std::size_t width) {
  assert(!columns.empty());
  std::size_t num_beside = columns.size();
  std::vector<std::size_t> widths = column_widths(columns, rows, width);
  if (const std::size_t num_before = num_before_last_wrapping(columns);
      total_width(widths) > width && num_before > 0) {
    num_beside = num_before;
    widths = column_widths(
        std::vector(columns.begin(), columns.begin() + static_cast<std::ptrdiff_t>(num_beside)), rows, width);
  }
  std::vector<std::string> headers;
  std::vector<std::string> rules;
  for (const Column& column : columns) {
    headers.push_back(column.header);
  }
  for (const std::size_t column_width : widths) {
    rules.emplace_back(column_width, '-');
  }
  std::string out;
  const auto append = [&](const std::vector<std::string>& cells) {
    append_row(out, columns, cells, widths);
    append_below(out, cells, num_beside, width);
  };
  append(headers);
  append_row(out, columns, rules, widths);
  for (const auto& row : rows) {
    assert(row.size() == columns.size());
    append(row);
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
