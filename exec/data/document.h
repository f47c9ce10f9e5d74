#pragma once

#include <string>

namespace portolan {

/// A text that stands alone: a whole .txt file or one record of a .jsonl file.
struct Document {
  std::string name;  ///< where it came from: "book.txt" or "sample.jsonl:17"
  std::string text;  ///< any bytes, UTF-8 as a rule

  bool operator==(const Document&) const = default;
};

}  // namespace portolan
