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

/// How many columns come before those at the end whose text may take several lines.
std::size_t num_before_last_wrapping(const std::vector<Column>& columns) {
  const auto last_fixed =
      std::find_if(columns.rbegin(), columns.rend(), [](const Column& column) { return !column.wraps; });
  return static_cast<std::size_t>(columns.rend() - last_fixed);
}

/// The other columns' text of each row on lines of their own below it.
std::string render_with_lines_below(const std::vector<Column>& columns,
                                    const std::vector<std::vector<std::string>>& rows, std::size_t num_before,
                                    std::size_t width) {
  const auto before = static_cast<std::ptrdiff_t>(num_before);
  const std::vector<Column> fixed(columns.begin(), columns.begin() + before);
  std::vector<std::vector<std::string>> cells;
  for (const auto& row : rows) {
    cells.emplace_back(row.begin(), row.begin() + before);
  }
  const std::vector<std::size_t> widths = column_widths(fixed, cells, width);
  std::string out;
  const auto append_below = [&](const auto& text_of) {
    std::string text;
    for (std::size_t c = num_before; c < columns.size(); ++c) {
      const std::string cell = text_of(c);
      text += (text.empty() || cell.empty() ? "" : std::string(kGap, ' ')) + cell;
    }
    if (text.empty()) {
      return;
    }
    for (const std::string& line : wrap(text, std::max(width, kNarrowest) - kGap)) {
      append_line(out, std::string(kGap, ' ') + line);
    }
  };
  std::vector<std::string> headers, rules;
  for (std::size_t c = 0; c < num_before; ++c) {
    headers.push_back(columns[c].header);
    rules.emplace_back(widths[c], '-');
  }
  append_row(out, fixed, headers, widths);
  append_below([&](std::size_t c) { return columns[c].header; });
  append_row(out, fixed, rules, widths);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    append_row(out, fixed, cells[r], widths);
    append_below([&](std::size_t c) { return rows[r][c]; });
  }
  return out;
}

}  // namespace

std::string render_table(const std::vector<Column>& columns,
                         const std::vector<std::vector<std::string>>& rows, std::size_t width) {
  assert(!columns.empty());
  const std::vector<std::size_t> widths = column_widths(columns, rows, width);
  const std::size_t num_before = num_before_last_wrapping(columns);
  if (total_width(widths) > width && num_before > 0 && num_before < columns.size()) {
    return render_with_lines_below(columns, rows, num_before, width);
  }
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
