#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portolan {

/// "FILE:LINE: message", as kBadInput.
Error error_at(std::string_view file, int line, std::string_view message);

/// A file's name without its folder, as sources and messages about several files show it.
std::string file_name_of(std::string_view file);

/// Whether `text` is UTF-8 of at most `most_bytes`.
Result<void> check_source(std::string_view text, std::string_view file, std::size_t most_bytes);

/// Walks the lines of a text, which must outlive it.
class SourceLines {
 public:
  SourceLines(std::string_view text, std::string_view file) : rest_(text), file_(file) {}

  /// Goes to the next line; false at the end. The first call goes to the first line.
  bool next();
  /// Without its end of line.
  std::string_view line() const { return line_; }
  /// From 1.
  int number() const { return number_; }
  Error error(std::string_view message) const { return error_at(file_, number_, message); }

 private:
  std::string_view rest_;
  std::string_view file_;
  std::string_view line_;
  int number_ = 0;
};

std::string_view trimmed(std::string_view text);
std::string lower_case(std::string_view text);
/// What lies between spaces and tabs.
std::vector<std::string_view> words_between_spaces(std::string_view line);
/// A whole number of decimal digits alone, at most `most`.
std::optional<std::int64_t> parse_count(std::string_view text, std::int64_t most);

}  // namespace portolan
