#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "catalog/launch/shell_lexer.h"
#include "catalog/launch/shell_truth.h"
#include "catalog/launch/shell_variables.h"

namespace portolan {

/// How long "NAME=" or "NAME+=" is at the front of a word as written; 0: there is none.
std::size_t assignment_length(const ShellText& word);

/// Sets variables as assignments in a script do. In doubt a variable is unknown afterwards; what would be
/// added to one is left out, with a note.
class ShellAssignment {
 public:
  ShellAssignment(ShellState& state, std::vector<ShellNote>& notes, ScriptMode mode)
      : state_(state), notes_(notes), mode_(mode) {}

  /// NAME=VALUE or NAME+=VALUE, or an array. False: the token is neither.
  bool run(const ShellToken& token);
  /// Of a variable that is set to what only a run knows.
  void set_unknown(const std::string& name, std::int32_t line);

 private:
  void assign(const ShellToken& token, std::size_t length);
  void assign_array(const ShellToken& token);
  /// Whether the mode forbids to set it.
  bool held_back(const std::string& name, bool appends, std::int32_t line);

  ShellState& state_;
  std::vector<ShellNote>& notes_;
  ScriptMode mode_;
};

}  // namespace portolan
