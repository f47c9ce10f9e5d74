#include "report/unvalidated_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace portolan {

namespace {

constexpr std::size_t kMostLinesOfAGroup = 3;

std::string_view group_of(std::string_view figure) { return figure.substr(0, figure.find('.')); }

/// Figures from `begin` on that share a line: "kernel.* (4)" and "adamw, ...: their source".
std::pair<std::string, std::string> shared_line(std::string_view group,
                                                const std::vector<UnvalidatedFigure>& figures) {
  std::string text;
  const bool alike = std::all_of(figures.begin(), figures.end(), [&](const UnvalidatedFigure& figure) {
    return figure.source == figures.front().source;
  });
  text += alike ? figures.front().source + ": " : "";
  std::string_view separator = "";
  for (const UnvalidatedFigure& figure : figures) {
    text += fmt::format("{}{}", separator, figure.figure.substr(group.size() + 1));
    separator = ", ";
  }
  return {fmt::format("{}.* ({})", group, figures.size()), std::move(text)};
}

std::string cut(std::string line, std::size_t width) {
  constexpr std::string_view kMore = "...";
  if (line.size() > width && width > kMore.size()) {
    line.resize(width - kMore.size());
    line += kMore;
  }
  return line + "\n";
}

}  // namespace

std::string unvalidated_list(const std::vector<UnvalidatedFigure>& figures, std::size_t width) {
  if (figures.empty()) {
    return "";
  }
  std::vector<std::pair<std::string, std::string>> lines;
  for (auto begin = figures.begin(); begin != figures.end();) {
    const std::string_view group = group_of(begin->figure);
    const auto end = std::find_if(begin, figures.end(), [&](const UnvalidatedFigure& figure) {
      return group_of(figure.figure) != group;
    });
    if (static_cast<std::size_t>(end - begin) > kMostLinesOfAGroup) {
      lines.push_back(shared_line(group, {begin, end}));
    } else {
      for (auto figure = begin; figure != end; ++figure) {
        lines.emplace_back(figure->figure, figure->source);
      }
    }
    begin = end;
  }
  std::size_t widest = 0;
  for (const auto& [name, text] : lines) {
    widest = std::max(widest, name.size());
  }
  std::string list =
      cut(fmt::format("{} figure{} that no measurement supports (--json lists all):", figures.size(),
                      figures.size() == 1 ? "" : "s"),
          width);
  for (const auto& [name, text] : lines) {
    list += cut(fmt::format("  {:<{}}  {}", name, widest, text), width);
  }
  return list;
}

}  // namespace portolan
