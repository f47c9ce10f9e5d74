#include "topology/node_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace portolan {

namespace {

constexpr std::size_t kMostNodes = 1'000'000;

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' ');
  return first == std::string_view::npos ? std::string_view()
                                         : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

std::optional<std::int32_t> parse_node(std::string_view text) {
  std::int32_t node = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), node);
  return error == std::errc() && end == text.data() + text.size() && node >= 0 ? std::optional(node)
                                                                               : std::nullopt;
}

std::optional<std::int32_t> find_repeated(const NodeList& nodes) {
  NodeList sorted = nodes;
  std::sort(sorted.begin(), sorted.end());
  const auto repeated = std::adjacent_find(sorted.begin(), sorted.end());
  return repeated == sorted.end() ? std::nullopt : std::optional(*repeated);
}

/// Letters that a message can show.
std::string shown(std::string_view text) {
  std::string letters(text.substr(0, 40));
  std::replace_if(
      letters.begin(), letters.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return letters;
}

}  // namespace

Result<NodeList> parse_node_list(std::string_view text) {
  NodeList nodes;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view item = trimmed(text.substr(begin, end - begin));
    const std::size_t dash = item.find('-');
    const auto first = parse_node(item.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_node(item.substr(dash + 1));
    if (!first || !last || *last < *first) {
      return bad_input(
          fmt::format("\"{}\" is no node and no range of nodes (allowed: as in 0-5,17,40-63)", shown(item)));
    }
    if (nodes.size() + static_cast<std::size_t>(*last - *first) >= kMostNodes) {
      return bad_input(fmt::format("more than {} nodes", kMostNodes));
    }
    for (std::int32_t node = *first; node < *last; ++node) {
      nodes.push_back(node);
    }
    nodes.push_back(*last);
    begin = end + 1;
  }
  if (const auto repeated = find_repeated(nodes)) {
    return bad_input(fmt::format("node {} is named twice (allowed: each once)", *repeated));
  }
  return nodes;
}

std::string format_node_list(const NodeList& nodes) {
  std::string text;
  for (std::size_t first = 0; first < nodes.size();) {
    std::size_t last = first;
    while (last + 1 < nodes.size() && nodes[last + 1] == nodes[last] + 1) {
      ++last;
    }
    text += text.empty() ? "" : ",";
    text += first == last ? fmt::format("{}", nodes[first]) : fmt::format("{}-{}", nodes[first], nodes[last]);
    first = last + 1;
  }
  return text;
}

bool are_first_nodes(const NodeList& nodes) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i] != static_cast<std::int32_t>(i)) {
      return false;
    }
  }
  return true;
}

std::string find_node_problem(const NodeList& nodes, std::int64_t num_nodes) {
  const auto outside =
      std::find_if(nodes.begin(), nodes.end(), [&](auto node) { return node < 0 || node >= num_nodes; });
  if (outside != nodes.end()) {
    return fmt::format("there is no node {} (allowed: 0 to {})", *outside, num_nodes - 1);
  }
  const auto repeated = find_repeated(nodes);
  return repeated ? fmt::format("node {} is named twice (allowed: each once)", *repeated) : "";
}

}  // namespace portolan
