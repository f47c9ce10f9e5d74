#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace portolan {

/// The value of a shell's integer expression ("$((...))": numbers, names, ( ), unary - + !, ** * / % + -,
/// comparisons, && ||). `value_of`: of a name. Nothing where a name has none, at division by zero or
/// overflow, and for what is no such expression. Source: POSIX shell command language, section 2.6.4; "**" is
/// Bash's.
std::optional<std::int64_t> shell_arithmetic(
    std::string_view text, const std::function<std::optional<std::int64_t>(std::string_view)>& value_of);

}  // namespace portolan
