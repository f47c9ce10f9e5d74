#include "catalog/launch/host_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace portolan {

namespace {

constexpr std::size_t kLongestHostName = 253;

bool is_host_name(std::string_view name) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  };
  return !name.empty() && name.size() <= kLongestHostName && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), is_allowed);
}

std::string_view without_blanks(std::string_view line) {
  constexpr std::string_view kBlanks = " \t\r";
  const std::size_t first = line.find_first_not_of(kBlanks);
  return first == std::string_view::npos ? std::string_view()
                                         : line.substr(first, line.find_last_not_of(kBlanks) - first + 1);
}

std::string printable_name(std::string_view name) {
  std::string shown(name.substr(0, 40));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return shown;
}

}  // namespace

Result<std::vector<std::string>> read_host_names(std::string_view text, std::string_view file,
                                                 std::int64_t num_nodes) {
  std::vector<std::string> names;
  std::map<std::string, std::int64_t, std::less<>> lines;
  std::int64_t line = 1;
  for (std::size_t begin = 0; begin < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view name = without_blanks(text.substr(begin, end - begin));
    begin = end + 1;
    if (name.empty() || name.front() == '#') {
      continue;
    }
    if (!is_host_name(name)) {
      return bad_input(fmt::format("{}:{}: \"{}\" is no host name (allowed: letters, digits, . - _)", file,
                                   line, printable_name(name)));
    }
    const auto [known, is_new] = lines.emplace(name, line);
    if (!is_new) {
      return bad_input(fmt::format("{}:{}: {} is named twice, first in line {} (allowed: each once)", file,
                                   line, name, known->second));
    }
    names.emplace_back(name);
  }
  if (std::ssize(names) != num_nodes) {
    return bad_input(fmt::format("{}: {} names (allowed: {}, one for each node of the hardware)", file,
                                 names.size(), num_nodes));
  }
  return names;
}

void name_hosts(LaunchExport& launch, const Plan& plan, const std::vector<std::string>& names) {
  for (const LaunchFile& named : node_files(plan, names)) {
    const auto found = std::find_if(launch.files.begin(), launch.files.end(),
                                    [&](const LaunchFile& file) { return file.name == named.name; });
    if (found != launch.files.end()) {
      *found = named;
    }
  }
}

}  // namespace portolan
