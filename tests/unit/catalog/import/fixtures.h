#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/result.h"

namespace portolan {

/// The text of a file in tests/golden/import/.
inline std::string fixture(const std::string& name) {
  const auto text = read_file(std::filesystem::path(PORTOLAN_SOURCE_DIR) / "tests/golden/import" / name);
  EXPECT_TRUE(text) << name;
  return text ? *text : std::string();
}

/// `text` with the first `from` replaced by `to`.
inline std::string with(std::string text, const std::string& from, const std::string& to) {
  const std::size_t begin = text.find(from);
  EXPECT_NE(begin, std::string::npos) << from;
  return begin == std::string::npos ? text : text.replace(begin, from.size(), to);
}

template <typename T>
std::string error_of(const Result<T>& result) {
  return result ? "accepted" : result.error().message;
}

/// Text that is refused, and how.
struct Malformed {
  std::string text;
  std::string message;
};

}  // namespace portolan
