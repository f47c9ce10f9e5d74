#include "catalog/launch/expert_layers.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/parse_quantity.h"

namespace portolan {

namespace {

/// Takes what is before `close` off the front of `text`.
std::string_view take_until(std::string_view& text, char close) {
  const std::size_t end = std::min(text.find(close), text.size());
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return taken;
}

/// "0,1,1": to `layers`.
bool append_list(std::string_view list, std::vector<int>& layers) {
  while (!list.empty()) {
    const std::string_view item = take_until(list, ',');
    if (item != "0" && item != "1") {
      return false;
    }
    layers.push_back(item == "1" ? 1 : 0);
  }
  return true;
}

}  // namespace

std::optional<std::vector<int>> parse_expert_layers(std::string_view text, std::int64_t num_layers) {
  std::vector<int> layers;
  if (const Result<std::int64_t> period = parse_integer(text)) {
    for (std::int64_t layer = 0; *period >= 1 && layer < num_layers; ++layer) {
      layers.push_back(layer % *period == 0 ? 1 : 0);
    }
    return layers.empty() ? std::nullopt : std::optional(std::move(layers));
  }
  std::string plain(text);
  std::erase_if(plain, [](char c) { return c == ' ' || c == '(' || c == ')'; });
  std::string_view rest = plain;
  while (!rest.empty()) {
    std::string_view term = take_until(rest, '+');
    if (!term.starts_with('[')) {
      return std::nullopt;
    }
    term.remove_prefix(1);
    std::vector<int> once;
    if (!append_list(take_until(term, ']'), once) || (!term.empty() && !term.starts_with('*'))) {
      return std::nullopt;
    }
    const Result<std::int64_t> times = term.empty() ? Result<std::int64_t>(1) : parse_integer(term.substr(1));
    if (!times || *times < 0 || *times > num_layers) {
      return std::nullopt;
    }
    for (std::int64_t i = 0; i < *times && std::ssize(layers) <= num_layers; ++i) {
      layers.insert(layers.end(), once.begin(), once.end());
    }
  }
  return std::ssize(layers) == num_layers ? std::optional(std::move(layers)) : std::nullopt;
}

std::string write_expert_layers(const std::vector<int>& layers) {
  std::string text;
  for (std::size_t i = 0; i < layers.size();) {
    std::size_t end = i;
    while (end < layers.size() && layers[end] == layers[i]) {
      ++end;
    }
    text += fmt::format("{}[{}]*{}", text.empty() ? "" : "+", layers[i], end - i);
    i = end;
  }
  return "(" + text + ")";
}

}  // namespace portolan
