#include "catalog/pipeline_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

#include "base/parse_quantity.h"
#include "catalog/document/node.h"

namespace portolan {

namespace {

// Longer than any model; bounds what nested repetitions make, and the work of making it.
constexpr std::size_t kMostSymbols = 100'000;
constexpr std::string_view kSymbols = "EtmL|";

Error refused_layout(std::string_view text, std::string_view message) {
  return bad_input(fmt::format("\"{}\" {}", printable(text), message));
}

/// Writes repetitions out.
class LayoutExpansion {
 public:
  explicit LayoutExpansion(std::string_view text) : text_(text) {}

  Result<std::string> run() {
    while (at_ < text_.size()) {
      if (const auto problem = step(text_[at_])) {
        return refused_layout(text_, *problem);
      }
    }
    if (open_.size() > 1) {
      return refused_layout(text_, "has a \"(\" without its \")\"");
    }
    return std::move(open_.front());
  }

 private:
  using Problem = std::optional<std::string>;

  Problem step(char letter) {
    ++at_;
    if (letter == ',' || letter == ' ') {
      return std::nullopt;
    }
    if (letter == '(') {
      open_.emplace_back();
      return std::nullopt;
    }
    if (letter == ')') {
      if (open_.size() == 1) {
        return "has a \")\" without its \"(\"";
      }
      const std::string group = std::move(open_.back());
      open_.pop_back();
      return append(group);
    }
    if (kSymbols.find(letter) == std::string_view::npos) {
      return fmt::format("has \"{}\" (allowed: E, t, L, \"|\", \"*\" and a number, parentheses, commas)",
                         printable(std::string(1, letter)));
    }
    return append(std::string(1, letter));
  }

  /// `what`, as often as the number behind "*" says.
  Problem append(const std::string& what) {
    std::size_t times = 1;
    if (at_ < text_.size() && text_[at_] == '*') {
      const std::size_t begin = ++at_;
      while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
        ++at_;
      }
      const Result<std::int64_t> number = parse_integer(text_.substr(begin, at_ - begin));
      if (!number || *number < 1 || static_cast<std::size_t>(*number) > kMostSymbols) {
        return fmt::format("repeats by \"{}\" (allowed: 1 to {})",
                           printable(text_.substr(begin, at_ - begin)), kMostSymbols);
      }
      times = static_cast<std::size_t>(*number);
    }
    written_ += what.size() * times;
    if (written_ > kMostSymbols) {
      return fmt::format("is too long written out (allowed: up to {} symbols)", kMostSymbols);
    }
    for (std::size_t i = 0; i < times && !what.empty(); ++i) {
      open_.back() += what;
    }
    return std::nullopt;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t written_ = 0;  ///< symbols, once for each group that they are in
  std::vector<std::string> open_ = std::vector<std::string>(1);  ///< groups that have begun, the whole first
};

}  // namespace

bool looks_like_pipeline_layout(std::string_view text) {
  return text.find_first_of("EtmL|") != std::string_view::npos;
}

Result<std::vector<std::int32_t>> parse_pipeline_layout(std::string_view text) {
  PORTOLAN_TRY(const std::string symbols, LayoutExpansion(text).run());
  if (symbols.find('m') != std::string::npos) {
    return refused_layout(text,
                          "has m, a multi-token prediction layer: not available yet (allowed: E, t, L)");
  }
  if (symbols.find('E') != 0 || std::count(symbols.begin(), symbols.end(), 'E') != 1) {
    return refused_layout(text, "does not begin with E, the embedding, once");
  }
  if (symbols.find('L') != symbols.size() - 1) {
    return refused_layout(text, "does not end with L, the loss, once");
  }
  std::vector<std::int32_t> layers(1);
  for (const char symbol : symbols) {
    if (symbol == '|') {
      layers.push_back(0);
    } else if (symbol == 't') {
      ++layers.back();
    }
  }
  for (std::size_t i = 1; i + 1 < layers.size(); ++i) {
    if (layers[i] == 0) {
      return refused_layout(
          text,
          fmt::format("leaves stage {} of {} empty: not available yet (allowed: a layer or more in each "
                      "but the first and the last)",
                      i + 1, layers.size()));
    }
  }
  return layers;
}

std::string write_pipeline_layout(const std::vector<std::int32_t>& layers) {
  std::string text = "E";
  for (std::size_t stage = 0; stage < layers.size(); ++stage) {
    text += stage == 0 ? "" : "|";
    text += layers[stage] == 0 ? "" : layers[stage] == 1 ? "t" : fmt::format("t*{}", layers[stage]);
  }
  return text + "L";
}

}  // namespace portolan
