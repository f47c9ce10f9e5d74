#include "catalog/import/hostlist.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "catalog/document/node.h"
#include "catalog/import/source_text.h"

namespace portolan {

namespace {

constexpr std::int64_t kMaxNumber = 999'999'999;
constexpr std::size_t kMaxBrackets = 8;
constexpr std::size_t kMaxRanges = 100'000;

/// 08 to 12, or one number.
struct HostNumbers {
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::size_t width = 0;  ///< digits, filled with zeros

  std::size_t size() const { return static_cast<std::size_t>(last - first + 1); }
};

/// "rack", then one number of the ranges; the last part of a name has none.
struct NamePart {
  std::string_view text;
  std::vector<HostNumbers> ranges;

  std::size_t num_choices() const {
    std::size_t sum = 0;
    for (const HostNumbers& range : ranges) {
      sum += range.size();
    }
    return ranges.empty() ? 1 : sum;
  }
  std::size_t longest() const {
    std::size_t digits = 0;
    for (const HostNumbers& range : ranges) {
      digits = std::max({digits, range.width, std::to_string(range.last).size()});
    }
    return text.size() + digits;
  }
  void append_choice(std::size_t choice, std::string& name) const {
    name += text;
    for (const HostNumbers& range : ranges) {
      if (choice < range.size()) {
        name += fmt::format("{:0{}}", range.first + static_cast<std::int64_t>(choice), range.width);
        return;
      }
      choice -= range.size();
    }
  }
};

using Pattern = std::vector<NamePart>;

Result<HostNumbers> parse_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  const std::string_view first = text.substr(0, dash);
  const std::string_view last = dash == std::string_view::npos ? first : text.substr(dash + 1);
  const auto from = parse_count(first, kMaxNumber);
  const auto to = parse_count(last, kMaxNumber);
  if (!from || !to || *to < *from || first.size() > 9) {
    return bad_input(fmt::format("range \"{}\" is not allowed (allowed: such as 0-15 or 20, up to {})",
                                 printable(text), kMaxNumber));
  }
  return HostNumbers{.first = *from, .last = *to, .width = first.size()};
}

Result<std::vector<HostNumbers>> parse_ranges(std::string_view text) {
  std::vector<HostNumbers> ranges;
  for (;;) {
    const std::size_t comma = text.find(',');
    PORTOLAN_TRY(const HostNumbers range, parse_range(text.substr(0, comma)));
    ranges.push_back(range);
    if (ranges.size() > kMaxRanges) {
      return bad_input(fmt::format("more than {} ranges in brackets", kMaxRanges));
    }
    if (comma == std::string_view::npos) {
      return ranges;
    }
    text = text.substr(comma + 1);
  }
}

/// One name with its brackets: "rack[0-1]node[00-15]".
Result<Pattern> parse_pattern(std::string_view text) {
  Pattern pattern;
  while (!text.empty()) {
    const std::size_t open = text.find('[');
    NamePart part{.text = text.substr(0, open), .ranges = {}};
    const std::size_t close = text.find(']');
    if (close < open || (open != std::string_view::npos && close == std::string_view::npos)) {
      return bad_input(
          fmt::format("\"{}\": brackets do not match (allowed: such as tux[0-15,20])", printable(text)));
    }
    if (open != std::string_view::npos) {
      PORTOLAN_TRY(part.ranges, parse_ranges(text.substr(open + 1, close - open - 1)));
    }
    text = close == std::string_view::npos ? std::string_view() : text.substr(close + 1);
    pattern.push_back(std::move(part));
    if (pattern.size() > kMaxBrackets) {
      return bad_input(fmt::format("more than {} brackets in a name", kMaxBrackets - 1));
    }
  }
  if (pattern.empty()) {
    return bad_input("an empty name (allowed: such as tux[0-15,20])");
  }
  return pattern;
}

/// Where the name that begins `text` ends: at a comma outside of brackets.
std::size_t end_of_name(std::string_view text) {
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    inside = text[i] == '[' || (inside && text[i] != ']');
    if (text[i] == ',' && !inside) {
      return i;
    }
  }
  return std::string_view::npos;
}

/// Takes what `pattern` comes to off `limit`; false where it is more.
bool reserve(const Pattern& pattern, HostlistLimit& limit) {
  std::size_t count = 1;
  std::size_t length = 0;
  for (const NamePart& part : pattern) {
    const std::size_t choices = part.num_choices();
    if (choices > limit.names / count) {
      return false;
    }
    count *= choices;
    length += part.longest();
  }
  if (length > limit.characters / count) {
    return false;
  }
  limit.names -= count;
  limit.characters -= count * length;
  return true;
}

void append_names(const Pattern& pattern, std::vector<std::string>& names) {
  std::vector<std::size_t> num_choices;
  std::size_t count = 1;
  for (const NamePart& part : pattern) {
    num_choices.push_back(part.num_choices());
    count *= num_choices.back();
  }
  for (std::size_t i = 0; i < count; ++i) {
    std::string name;
    std::size_t stride = count;
    std::size_t rest = i;
    for (std::size_t part = 0; part < pattern.size(); ++part) {
      stride /= num_choices[part];
      pattern[part].append_choice(rest / stride, name);
      rest %= stride;
    }
    names.push_back(std::move(name));
  }
}

}  // namespace

Result<std::vector<std::string>> expand_hostlist(std::string_view text, HostlistLimit limit) {
  const HostlistLimit whole = limit;
  std::vector<std::string> names;
  for (;;) {
    const std::size_t end = end_of_name(text);
    PORTOLAN_TRY(const Pattern pattern, parse_pattern(text.substr(0, end)));
    if (!reserve(pattern, limit)) {
      return bad_input(fmt::format("\"{}\" comes to too many names (allowed: {} names and {} characters)",
                                   printable(text.substr(0, end)), whole.names, whole.characters));
    }
    append_names(pattern, names);
    if (end == std::string_view::npos) {
      return names;
    }
    text = text.substr(end + 1);
  }
}

}  // namespace portolan
