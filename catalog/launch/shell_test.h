#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/launch/shell_truth.h"

namespace portolan {

/// An operand or operator of [ ... ] or [[ ... ]], expanded; nothing: unknown before the script runs.
using TestWord = std::optional<std::string>;

/// Whether a shell's test holds: -n -z TEXT, = == != (with patterns where `with_patterns`), -eq -ne -lt -le
/// -gt -ge, one word alone, "!", and these joined by && || (-a -o). Nothing where it depends on what is
/// unknown, and for all other tests (of files). Source: POSIX, "test"; Bash, "[[".
Truth shell_test(const std::vector<TestWord>& words, bool with_patterns);

/// Whether `text` matches a pattern of the shell's case and [[ ]] (fnmatch(3)).
bool matches_pattern(const std::string& text, const std::string& pattern);

}  // namespace portolan
