#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/launch/shell_text.h"

namespace portolan {

struct ShellVariable {
  std::vector<ShellText> items;  ///< one, or those of an array
  std::int32_t line = 0;         ///< where it was set last
};

/// What is known while a script is read.
struct ShellState {
  std::map<std::string, ShellVariable, std::less<>> variables;
  ShellMarks marks;
  /// Characters that expansions may still make: hostile scripts double a variable line by line.
  std::int64_t characters_left = 4'000'000;

  const ShellVariable* find(std::string_view name) const {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : &found->second;
  }
};

struct ExpansionRules {
  bool splits = true;           ///< blanks of unquoted expansions end words; else one word comes out
  bool unset_is_empty = false;  ///< in tests; else it is unknown: "$NAME" stays in the text, marked
};

/// Expands a word as written: quotes and backslashes, $NAME, ${NAME}, ${NAME:-WORD} (also - = + ?, with and
/// without the colon), ${NAME[@]}, ${NAME[N]}, $((...)). Everything else ($1, $(...), `...`, ${NAME%...}) is
/// unknown: its own text, marked. $@ and $* are nothing: a script is read as called without arguments.
/// Source: POSIX shell command language, section 2.6.
std::vector<ShellText> expand_word(const ShellText& word, ShellState& state, const ExpansionRules& rules);
/// Without splitting.
ShellText expand_value(const ShellText& word, ShellState& state);

}  // namespace portolan
