#include "catalog/launch/shell_assignment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <utility>

#include "catalog/document/node.h"

namespace portolan {

std::size_t assignment_length(const ShellText& word) {
  std::size_t at = 0;
  while (at < word.size() &&
         (std::isalnum(static_cast<unsigned char>(word[at].letter)) != 0 || word[at].letter == '_')) {
    ++at;
  }
  if (at == 0 || std::isdigit(static_cast<unsigned char>(word.front().letter)) != 0) {
    return 0;
  }
  at += at + 1 < word.size() && word[at].letter == '+' && word[at + 1].letter == '=' ? 1U : 0U;
  return at < word.size() && word[at].letter == '=' ? at + 1 : 0;
}

bool ShellAssignment::run(const ShellToken& token) {
  if (token.kind == ShellToken::Kind::kArray) {
    assign_array(token);
    return true;
  }
  const std::size_t length = assignment_length(token.word);
  if (length > 0) {
    assign(token, length);
  }
  return length > 0;
}

void ShellAssignment::set_unknown(const std::string& name, std::int32_t line) {
  if (mode_ == ScriptMode::kSkip) {
    return;
  }
  ShellText text = shell_text("$" + name, line);
  const std::int32_t mark =
      state_.marks.add(ShellMarks::Kind::kUnknown,
                       fmt::format("${}, set in line {} under a condition or in a loop", name, line));
  for (ShellChar& c : text) {
    c.mark = mark;
  }
  state_.variables[name] = {{std::move(text)}, line};
}

bool ShellAssignment::held_back(const std::string& name, bool appends, std::int32_t line) {
  if (mode_ == ScriptMode::kDoubt && appends) {
    notes_.push_back({line, fmt::format("whether this is added to {} depends on what is unknown; left out",
                                        printable(name))});
  } else if (mode_ == ScriptMode::kDoubt) {
    set_unknown(name, line);
  }
  return mode_ != ScriptMode::kRun;
}

void ShellAssignment::assign(const ShellToken& token, std::size_t length) {
  const std::string letters = letters_of(token.word).substr(0, length);
  const bool appends = letters.ends_with("+=");
  const std::string name = letters.substr(0, length - (appends ? 2 : 1));
  if (held_back(name, appends, token.line)) {
    return;
  }
  ShellText text =
      expand_value({token.word.begin() + static_cast<std::ptrdiff_t>(length), token.word.end()}, state_);
  ShellVariable& variable = state_.variables[name];
  variable.line = token.line;
  if (!appends || variable.items.empty()) {
    variable.items = {std::move(text)};
    return;
  }
  ShellText& item = variable.items.front();
  state_.characters_left -= std::ssize(item);
  item.insert(item.end(), text.begin(), text.end());
}

void ShellAssignment::assign_array(const ShellToken& token) {
  const std::string letters = letters_of(token.word);
  const bool appends = letters.ends_with("+=");
  const std::string name = letters.substr(0, letters.size() - (appends ? 2 : 1));
  if (held_back(name, appends, token.line)) {
    return;
  }
  std::vector<ShellText> items;
  for (const ShellText& element : token.elements) {
    std::vector<ShellText> words = expand_word(element, state_, {});
    std::move(words.begin(), words.end(), std::back_inserter(items));
  }
  ShellVariable& variable = state_.variables[name];
  variable.line = token.line;
  if (!appends) {
    variable.items.clear();
  }
  std::move(items.begin(), items.end(), std::back_inserter(variable.items));
}

}  // namespace portolan
