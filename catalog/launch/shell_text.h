#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace portolan {

/// A character of a launch script, wherever variables have carried it since.
struct ShellChar {
  char letter = 0;
  bool quoted = false;    ///< it neither ends a word nor means anything to the shell
  std::int32_t line = 0;  ///< where it was written, from 1
  std::int32_t mark = 0;  ///< of ShellMarks; 0: the script says it
};
using ShellText = std::vector<ShellChar>;

/// Every character of `text` with its line, the first being `first_line`. A carriage return before a line's
/// end is left out.
ShellText shell_text(std::string_view text, std::int32_t first_line = 1);
/// The letters alone.
std::string letters_of(const ShellText& text);

/// Why some characters are not what a script says.
class ShellMarks {
 public:
  enum class Kind : std::uint8_t {
    kUnknown,  ///< they stand for what is known only when the script runs: "$1", "$(hostname)"
    kDefault,  ///< they were taken as a variable is not set: "NNODES"
  };

  /// The mark of this kind and text; the same one for the same text.
  std::int32_t add(Kind kind, std::string text);
  /// Of a mark; precondition: not 0.
  Kind kind(std::int32_t mark) const { return all_[static_cast<std::size_t>(mark) - 1].kind; }
  const std::string& text(std::int32_t mark) const { return all_[static_cast<std::size_t>(mark) - 1].text; }
  bool is_unknown(std::int32_t mark) const { return mark != 0 && kind(mark) == Kind::kUnknown; }

  /// The first mark in `text` of unknown characters, else the first of all; 0: none.
  std::int32_t mark_of(const ShellText& text) const;

 private:
  struct Mark {
    Kind kind;
    std::string text;
  };
  std::vector<Mark> all_;
  std::map<std::pair<Kind, std::string>, std::int32_t> numbers_;
};

}  // namespace portolan
