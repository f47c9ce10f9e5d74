#include "catalog/launch/shell_text.h"

#include <utility>

namespace portolan {

ShellText shell_text(std::string_view text, std::int32_t first_line) {
  ShellText result;
  result.reserve(text.size());
  std::int32_t line = first_line;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') {
      continue;
    }
    result.push_back({.letter = text[i], .quoted = false, .line = line, .mark = 0});
    line += text[i] == '\n' ? 1 : 0;
  }
  return result;
}

std::string letters_of(const ShellText& text) {
  std::string letters;
  letters.reserve(text.size());
  for (const ShellChar& c : text) {
    letters.push_back(c.letter);
  }
  return letters;
}

std::int32_t ShellMarks::add(Kind kind, std::string text) {
  const auto [entry, is_new] = numbers_.try_emplace({kind, text}, static_cast<std::int32_t>(all_.size()) + 1);
  if (is_new) {
    all_.push_back({kind, std::move(text)});
  }
  return entry->second;
}

std::int32_t ShellMarks::mark_of(const ShellText& text) const {
  std::int32_t first = 0;
  for (const ShellChar& c : text) {
    if (is_unknown(c.mark)) {
      return c.mark;
    }
    first = first == 0 ? c.mark : first;
  }
  return first;
}

}  // namespace portolan
