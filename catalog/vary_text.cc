#include "catalog/vary_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

#include "base/parse_quantity.h"
#include "catalog/document/node.h"

namespace portolan {

namespace {

constexpr std::size_t kMostValues = 10'000;
constexpr std::int64_t kMostSteps = 16;  ///< of a key
constexpr std::int64_t kLargest = std::int64_t{1} << 53;

std::string_view without_blanks(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view()
                                         : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_key(std::string_view key) {
  const auto is_letter = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.';
  };
  return !key.empty() && std::all_of(key.begin(), key.end(), is_letter) && key.front() != '.' &&
         key.back() != '.' && key.find("..") == std::string_view::npos &&
         std::count(key.begin(), key.end(), '.') < kMostSteps;
}

/// "64..1024*2": what stands before and after the dots, where the text begins with a whole number and dots.
std::optional<std::pair<std::string_view, std::string_view>> split_range(std::string_view value) {
  const std::size_t digits = value.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string_view::npos || !value.substr(digits).starts_with("..")) {
    return std::nullopt;
  }
  return std::pair{value.substr(0, digits), value.substr(digits + 2)};
}

/// Numbers from `first` up to the `last` that the rest of a range names: "1024*2".
Result<std::vector<std::string>> range_values(std::string_view first_text, std::string_view rest) {
  const std::size_t sign = rest.find_first_of("*+");
  if (sign == std::string_view::npos) {
    return bad_input("has no step (allowed: such as 64..1024*2 or 64..1024+64)");
  }
  const Result<std::int64_t> first = parse_integer(first_text);
  const Result<std::int64_t> last = parse_integer(rest.substr(0, sign));
  const Result<std::int64_t> step = parse_integer(rest.substr(sign + 1));
  if (!first || !last || !step || *last > kLargest || *step > kLargest) {
    return bad_input("is not a range of whole numbers (allowed: such as 64..1024*2 or 64..1024+64)");
  }
  const bool is_factor = rest[sign] == '*';
  if (*first > *last || *step < (is_factor ? 2 : 1) || (is_factor && *first < 1)) {
    return bad_input("does not grow (allowed: such as 64..1024*2 or 64..1024+64)");
  }
  std::vector<std::string> values;
  for (std::int64_t number = *first; number <= *last;) {
    values.push_back(std::to_string(number));
    if (values.size() > kMostValues) {
      return bad_input(fmt::format("is more than {} values", kMostValues));
    }
    if (is_factor && number > *last / *step) {
      break;
    }
    number = is_factor ? number * *step : number + *step;
  }
  return values;
}

}  // namespace

Result<VariedKey> parse_vary(std::string_view text) {
  const std::size_t equals = text.find('=');
  VariedKey varied{.key = std::string(without_blanks(text.substr(0, equals))), .values = {}};
  const auto refused = [&](std::string_view message) {
    return bad_input(fmt::format("--vary {}: {}", printable(varied.key), message));
  };
  if (!is_key(varied.key)) {
    return bad_input(fmt::format("--vary: \"{}\" is no key of a scenario (allowed: KEY=VALUE,VALUE,...)",
                                 printable(varied.key)));
  }
  if (equals == std::string_view::npos) {
    return refused("has no values (allowed: KEY=VALUE,VALUE,...)");
  }
  for (std::string_view rest = text.substr(equals + 1);;) {
    const std::size_t comma = rest.find(',');
    const std::string_view value = without_blanks(rest.substr(0, comma));
    if (value.empty()) {
      return refused("a value is empty (allowed: KEY=VALUE,VALUE,...)");
    }
    std::vector<std::string> values{std::string(value)};
    if (const auto range = split_range(value)) {
      Result<std::vector<std::string>> numbers = range_values(range->first, range->second);
      if (!numbers) {
        return refused(fmt::format("\"{}\" {}", printable(value), numbers.error().message));
      }
      values = *std::move(numbers);
    }
    varied.values.insert(varied.values.end(), values.begin(), values.end());
    if (varied.values.size() > kMostValues) {
      return refused(fmt::format("is given more than {} values", kMostValues));
    }
    if (comma == std::string_view::npos) {
      break;
    }
    rest.remove_prefix(comma + 1);
  }
  std::vector<std::string> sorted = varied.values;
  std::sort(sorted.begin(), sorted.end());
  if (const auto twice = std::adjacent_find(sorted.begin(), sorted.end()); twice != sorted.end()) {
    return refused(fmt::format("\"{}\" is there twice", printable(*twice)));
  }
  return varied;
}

}  // namespace portolan
