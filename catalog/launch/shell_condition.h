#pragma once

#include "catalog/launch/shell_test.h"
#include "catalog/launch/shell_truth.h"
#include "catalog/launch/shell_variables.h"

namespace portolan {

/// A word of a test or of `case`, expanded: variables that are not set are empty there.
TestWord test_operand(const ShellText& word, ShellState& state);

/// Whether ((...)) succeeds, given what is between: tests alone are known; what it assigns is not.
Truth arithmetic_condition(const ShellText& expression, ShellState& state);

/// The word that "bash -c" is given, wherever it stands in a command (srun bash -c ...); 0: there is none.
std::size_t nested_script(const std::vector<ShellText>& words);

/// A word to be read as a script itself: its quotes count again; what is unknown stays as it is spelled.
ShellText as_script(ShellText word, const ShellMarks& marks);

}  // namespace portolan
