#include "catalog/launch/shell_condition.h"

#include <optional>
#include <string>

#include "catalog/launch/shell_arithmetic.h"

namespace portolan {

TestWord test_operand(const ShellText& word, ShellState& state) {
  const ShellText text = expand_word(word, state, {.splits = false, .unset_is_empty = true}).front();
  return state.marks.is_unknown(state.marks.mark_of(text)) ? TestWord() : letters_of(text);
}

Truth arithmetic_condition(const ShellText& expression, ShellState& state) {
  const ShellText text = expand_value(expression, state);
  const auto none = [](std::string_view) { return std::optional<std::int64_t>(); };
  const auto value_of = [&](std::string_view name) -> std::optional<std::int64_t> {
    const ShellVariable* variable = state.find(name);
    const bool known =
        variable != nullptr && !variable->items.empty() && state.marks.mark_of(variable->items.front()) == 0;
    return known ? shell_arithmetic(letters_of(variable->items.front()), none) : std::nullopt;
  };
  const auto value = shell_arithmetic(letters_of(text), value_of);
  return value ? truth_of(*value != 0) : Truth::kUnknown;
}

std::size_t nested_script(const std::vector<ShellText>& words) {
  for (std::size_t i = 0; i + 2 < words.size(); ++i) {
    const std::string option = letters_of(words[i + 1]);
    if (option.starts_with('-') && !option.starts_with("--") && option.ends_with('c')) {
      const std::string shell = letters_of(words[i]);
      if (shell == "bash" || shell == "sh" || shell.ends_with("/bash") || shell.ends_with("/sh")) {
        return i + 2;
      }
    }
  }
  return 0;
}

ShellText as_script(ShellText word, const ShellMarks& marks) {
  for (ShellChar& c : word) {
    c.quoted = marks.is_unknown(c.mark);
  }
  return word;
}

}  // namespace portolan
