#include "catalog/import/source_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>

#include "catalog/document/node.h"
#include "catalog/document/text_check.h"

namespace portolan {

namespace {

constexpr std::string_view kSpaces = " \t\r\v\f";

}  // namespace

Error error_at(std::string_view file, int line, std::string_view message) {
  return bad_input(fmt::format("{}:{}: {}", printable(file), line, message));
}

std::string file_name_of(std::string_view file) {
  return printable(std::filesystem::path(file).filename().string());
}

Result<void> check_source(std::string_view text, std::string_view file, std::size_t most_bytes) {
  if (text.size() > most_bytes) {
    return bad_input(fmt::format("{}: is {} bytes (allowed: up to {})", file, text.size(), most_bytes));
  }
  return check_is_text(text, file);
}

bool SourceLines::next() {
  if (rest_.empty()) {
    return false;
  }
  const std::size_t end = rest_.find('\n');
  line_ = rest_.substr(0, end);
  rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
  if (line_.ends_with('\r')) {
    line_.remove_suffix(1);
  }
  ++number_;
  return true;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

std::vector<std::string_view> words_between_spaces(std::string_view line) {
  std::vector<std::string_view> words;
  for (std::size_t begin = line.find_first_not_of(kSpaces); begin != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(kSpaces, begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(kSpaces, end);
  }
  return words;
}

std::optional<std::int64_t> parse_count(std::string_view text, std::int64_t most) {
  std::int64_t number = 0;
  const auto [rest, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_whole = code == std::errc() && rest == text.data() + text.size() && text[0] != '-';
  return is_whole && number <= most ? std::optional(number) : std::nullopt;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

}  // namespace portolan
