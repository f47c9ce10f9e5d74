#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalog/launch/shell_text.h"

namespace portolan {

/// A part of a shell script. Words are as written: quotes, backslashes and "$" are still in them.
struct ShellToken {
  enum class Kind : std::uint8_t {
    kWord,
    kArray,       ///< NAME=( ... ) or NAME+=( ... )
    kOperator,    ///< ; ;; & && | || ( ) and redirections, whose next word is their file
    kArithmetic,  ///< (( ... )): word holds what is between
    kNewline,
    kEnd,
  };
  Kind kind = Kind::kEnd;
  std::int32_t line = 0;
  ShellText word;                   ///< of kArray "NAME=" or "NAME+="
  std::vector<ShellText> elements;  ///< of kArray
  std::string op;                   ///< of kOperator

  bool is_operator(std::string_view text) const { return kind == Kind::kOperator && op == text; }
  /// A word that is `text` and has no quotes.
  bool is_word(std::string_view text) const;
};

/// What a reader of scripts has to tell people, with the line.
struct ShellNote {
  std::int64_t line = 0;
  std::string text;

  bool operator==(const ShellNote&) const = default;
};

/// Cuts a script into tokens (POSIX shell command language, section 2.3, and Bash's arrays); comments, here
/// documents and continued lines are gone. Two slips of public scripts are read as they were meant, with a
/// note: a "\" that blanks or a comment follow, and a comment among continued lines, both of which end the
/// command in a shell. Errors (kBadInput) `:LINE: ...`, to which the caller adds the file: quotes or brackets
/// without an end.
Result<std::vector<ShellToken>> read_shell_tokens(const ShellText& text, std::vector<ShellNote>& notes);

/// One past the closing bracket or quote of what begins at `at`: '...', "...", `...`, $(...), ${...},
/// $((...)). `text.size() + 1` where it has no end; `at` where nothing of the kind begins.
std::size_t end_of_quoted(const ShellText& text, std::size_t at);

}  // namespace portolan
