#include "catalog/measured/csv_words.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace portolan {

/// Lower case, letters and digits; everything else separates.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) {
      words.back() += static_cast<char>(std::tolower(byte));
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) {
    words.pop_back();
  }
  return words;
}

bool has_any(const std::vector<std::string>& words, std::initializer_list<std::string_view> any) {
  return std::any_of(any.begin(), any.end(), [&](std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  });
}

Result<std::optional<Precision>> precision_of(const CsvFields& fields, std::string_view column) {
  constexpr std::array<std::pair<std::string_view, Precision>, 5> kNames = {{{"fp16", Precision::kFp16},
                                                                             {"bf16", Precision::kBf16},
                                                                             {"fp8", Precision::kFp8},
                                                                             {"tf32", Precision::kTf32},
                                                                             {"fp32", Precision::kFp32}}};
  const std::vector<std::string> words = words_of(fields.text(column));
  if (words.empty()) {
    return std::optional<Precision>();
  }
  for (const auto& [name, precision] : kNames) {
    if (has_any(words, {name})) {
      return std::optional(precision);
    }
  }
  return fields.refused(column, "is not known (allowed: fp16, bf16, fp8, tf32, fp32, or nothing)");
}

}  // namespace portolan
