#include "catalog/launch/shell_test.h"

#include <fnmatch.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/parse_quantity.h"

namespace portolan {

namespace {

Truth compare_numbers(std::string_view op, const std::string& a, const std::string& b) {
  const Result<std::int64_t> left = parse_integer(a);
  const Result<std::int64_t> right = parse_integer(b);
  if (!left || !right) {
    return Truth::kUnknown;
  }
  if (op == "-eq") {
    return truth_of(*left == *right);
  }
  if (op == "-ne") {
    return truth_of(*left != *right);
  }
  if (op == "-lt") {
    return truth_of(*left < *right);
  }
  if (op == "-le") {
    return truth_of(*left <= *right);
  }
  if (op == "-gt") {
    return truth_of(*left > *right);
  }
  return op == "-ge" ? truth_of(*left >= *right) : Truth::kUnknown;
}

/// One test from `first` to before `last`.
Truth simple_test(const std::vector<TestWord>& words, std::size_t first, std::size_t last,
                  bool with_patterns) {
  bool negated = false;
  for (; first < last && words[first] == "!"; ++first) {
    negated = !negated;
  }
  const auto result = [&](Truth truth) { return negated ? !truth : truth; };
  const std::size_t count = last - first;
  if (count == 1 && words[first]) {
    return result(truth_of(!words[first]->empty()));
  }
  if (count == 2 && words[first + 1] && (words[first] == "-n" || words[first] == "-z")) {
    return result(truth_of(words[first + 1]->empty() == (words[first] == "-z")));
  }
  if (count == 3 && words[first] && words[first + 1] && words[first + 2]) {
    const std::string& left = *words[first];
    const std::string& op = *words[first + 1];
    const std::string& right = *words[first + 2];
    if (op == "=" || op == "==" || op == "!=") {
      const bool same = with_patterns ? matches_pattern(left, right) : left == right;
      return result(truth_of(same == (op != "!=")));
    }
    return result(compare_numbers(op, left, right));
  }
  return Truth::kUnknown;
}

bool is_either(const TestWord& word, std::string_view a, std::string_view b) {
  return word && (*word == a || *word == b);
}

Truth any_of_or(Truth a, Truth b) {
  return a == Truth::kYes || b == Truth::kYes ? Truth::kYes : a == b ? a : Truth::kUnknown;
}
Truth all_of_and(Truth a, Truth b) {
  return a == Truth::kNo || b == Truth::kNo ? Truth::kNo : a == b ? a : Truth::kUnknown;
}

}  // namespace

bool matches_pattern(const std::string& text, const std::string& pattern) {
  constexpr std::size_t kLongest = 256;  // of words that scripts compare; keeps hostile patterns cheap
  return text.size() <= kLongest && pattern.size() <= kLongest
             ? ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0
             : text == pattern;
}

Truth shell_test(const std::vector<TestWord>& words, bool with_patterns) {
  Truth any = Truth::kNo;
  Truth all = Truth::kYes;
  std::size_t first = 0;
  for (std::size_t i = 0; i <= words.size(); ++i) {
    const bool is_and = i < words.size() && is_either(words[i], "&&", "-a");
    const bool is_or = i == words.size() || is_either(words[i], "||", "-o");
    if (!is_and && !is_or) {
      continue;
    }
    all = all_of_and(all, simple_test(words, first, i, with_patterns));
    if (is_or) {
      any = any_of_or(any, all);
      all = Truth::kYes;
    }
    first = i + 1;
  }
  return any;
}

}  // namespace portolan
