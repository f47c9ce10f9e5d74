#include "catalog/measured/log_line.h"

#include <array>
#include <cctype>
#include <cmath>
#include <limits>

#include "base/parse_quantity.h"

namespace portolan {

namespace {

constexpr std::size_t kLongestLine = std::size_t{64} << 10U;
constexpr char kEscape = '\x1b';

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Passes over a terminal's control sequence (ECMA-48), of which the escape has been read.
void skip_control_sequence(std::streambuf& buffer) {
  using Traits = std::streambuf::traits_type;
  const int kind = buffer.sgetc();
  if (kind == '[') {
    buffer.sbumpc();
    int c = buffer.sgetc();
    while (c != Traits::eof() && c >= 0x20 && c < 0x40) {
      buffer.sbumpc();
      c = buffer.sgetc();
    }
    if (c != Traits::eof() && c >= 0x40 && c < 0x7f) {
      buffer.sbumpc();
    }
  } else if (kind != Traits::eof() && kind != '\n' && kind != '\r' && kind != kEscape) {
    buffer.sbumpc();
  }
}

/// Where a number that begins at `at` ends: digits, one point, an exponent; commas between thousands.
std::size_t end_of_number(std::string_view text, std::size_t at) {
  const auto digit = [&](std::size_t i) { return i < text.size() && is_digit(text[i]); };
  std::size_t i = at;
  i += i < text.size() && (text[i] == '-' || text[i] == '+') ? 1U : 0U;
  while (digit(i) || (i < text.size() && text[i] == ',' && digit(i + 1) && digit(i + 2) && digit(i + 3) &&
                      !digit(i + 4))) {
    ++i;
  }
  if (i < text.size() && text[i] == '.') {
    ++i;
    while (digit(i)) {
      ++i;
    }
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    const std::size_t sign = i + 1 < text.size() && (text[i + 1] == '-' || text[i + 1] == '+') ? 1 : 0;
    if (digit(i + 1 + sign)) {
      i += 1 + sign;
      while (digit(i)) {
        ++i;
      }
    }
  }
  return i;
}

}  // namespace

std::optional<LogLine> LogLines::next() {
  using Traits = std::streambuf::traits_type;
  std::streambuf& buffer = *stream_.rdbuf();
  text_.clear();
  bool any = false;
  while (true) {
    const int c = buffer.sbumpc();
    if (c == Traits::eof()) {
      if (!any) {
        return std::nullopt;
      }
      return LogLine{text_, ++number_, true};
    }
    any = true;
    if (c == '\n' || c == '\r') {
      if (c == '\r' && buffer.sgetc() == '\n') {
        buffer.sbumpc();
      }
      return LogLine{text_, ++number_, false};
    }
    if (c == kEscape) {
      skip_control_sequence(buffer);
    } else if (text_.size() < kLongestLine && (c == '\t' || static_cast<unsigned char>(c) >= 0x20)) {
      text_ += c == '\t' ? ' ' : static_cast<char>(c);
    }
  }
}

LoggedNumber number_after(std::string_view text, std::string_view label, bool is_cut_off, std::size_t from) {
  const std::size_t found = text.find(label, from);
  if (found == std::string_view::npos) {
    return {};
  }
  std::size_t at = found + label.size();
  bool separated = false;
  while (at < text.size() && (text[at] == ' ' || (!separated && (text[at] == ':' || text[at] == '=')))) {
    separated = separated || text[at] != ' ';
    ++at;
  }
  const std::size_t end = end_of_number(text, at);
  LoggedNumber number{.state = LoggedNumber::State::kMalformed, .value = 0, .end = end};
  if (is_cut_off && text.find_first_not_of("eE+-.,", end) == std::string_view::npos) {
    number.state = LoggedNumber::State::kCutOff;
    return number;
  }
  std::string digits(text.substr(at, end - at));
  std::erase(digits, ',');
  if (digits.ends_with('.')) {
    digits.pop_back();
  }
  const Result<double> value = parse_number(digits);
  if (value && !(end < text.size() && (text[end] == '.' || is_digit(text[end])))) {
    number.state = LoggedNumber::State::kGood;
    number.value = *value;
  }
  return number;
}

std::optional<std::int32_t> rank_before(std::string_view text, std::size_t end) {
  constexpr std::array<std::string_view, 3> kPrefixes = {"[Rank ", "[rank", "[default"};
  const std::string_view before = text.substr(0, end);
  std::size_t last = 0;
  std::optional<std::int32_t> rank;
  for (const std::string_view prefix : kPrefixes) {
    const std::size_t at = before.rfind(prefix);
    if (at == std::string_view::npos || (rank && at < last)) {
      continue;
    }
    const std::size_t digits = at + prefix.size();
    const std::size_t close = before.find(']', digits);
    const Result<std::int64_t> value =
        parse_integer(before.substr(digits, close == std::string_view::npos ? 0 : close - digits));
    if (value && *value >= 0 && *value <= std::numeric_limits<std::int32_t>::max()) {
      rank = static_cast<std::int32_t>(*value);
      last = at;
    }
  }
  return rank;
}

}  // namespace portolan
