#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalog/launch/shell_lexer.h"

namespace portolan {

/// A word of a command as it comes to the program.
struct ScriptWord {
  std::string text;
  std::int64_t line = 0;  ///< where its first letter was written
  /// What of it is known only when the script runs: "$1"; empty: nothing. `text` has it as it is spelled.
  std::string unknown;
  std::string unset;  ///< the variable that is not set and of which a default was taken; empty: none
};

struct ScriptCommand {
  std::int64_t line = 0;
  std::vector<ScriptWord> words;
};

/// What a script's text tells of what it does.
struct LaunchScript {
  std::vector<ScriptCommand> commands;          ///< in order; assignments and builtins left out
  std::map<std::string, ScriptWord> variables;  ///< at its end; of arrays the first item
  std::vector<ShellNote> notes;
};

/// Variables that a script finds in its environment, by name; arguments by number ("1").
using ScriptEnvironment = std::map<std::string, std::string, std::less<>>;

/// Follows a shell script as it would run without arguments, and runs nothing: variables, arrays, `if` and
/// `case` whose tests are known, functions' bodies where they stand, `eval` and `bash -c` of known text.
/// Variables that neither the script nor `environment` sets count as empty in tests and are unknown
/// elsewhere. Pieces that depend on what is unknown, and loops, are read too, but what they set is unknown.
/// Errors (kBadInput), one line with file and line: over 1 MiB, characters that are no text, quotes and
/// brackets without an end, nesting over 64 levels, expansions to more than 4 million characters.
Result<LaunchScript> read_shell_script(std::string_view text, const std::string& file,
                                       const ScriptEnvironment& environment = {});

}  // namespace portolan
