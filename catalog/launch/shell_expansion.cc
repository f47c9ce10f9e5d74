#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

#include "base/parse_quantity.h"
#include "catalog/launch/shell_arithmetic.h"
#include "catalog/launch/shell_lexer.h"
#include "catalog/launch/shell_variables.h"

namespace portolan {

namespace {

constexpr int kDeepestExpansion = 32;

bool is_name_letter(char letter) {
  return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_';
}

/// What "${...}" asks for.
struct ParameterRequest {
  std::string name;
  std::string index;  ///< between [ and ]
  std::string op;     ///< "", ":-", "-", ":=", "=", ":+", "+", ":?", "?"; anything else is not read
  ShellText word;     ///< behind the operator
};

ParameterRequest parse_parameter(const ShellText& inner) {
  ParameterRequest request;
  std::size_t at = 0;
  while (at < inner.size() && is_name_letter(inner[at].letter)) {
    request.name.push_back(inner[at++].letter);
  }
  if (request.name.empty() && at < inner.size() && (inner[at].letter == '@' || inner[at].letter == '*')) {
    request.name.push_back(inner[at++].letter);
  }
  if (at < inner.size() && inner[at].letter == '[') {
    for (++at; at < inner.size() && inner[at].letter != ']'; ++at) {
      request.index.push_back(inner[at].letter);
    }
    ++at;
  }
  if (at < inner.size() && inner[at].letter == ':') {
    request.op.push_back(inner[at++].letter);
  }
  if (at < inner.size()) {
    request.op.push_back(inner[at++].letter);
  }
  at = std::min(at, inner.size());
  request.word.assign(inner.begin() + static_cast<std::ptrdiff_t>(at), inner.end());
  return request;
}

class WordExpansion {
 public:
  WordExpansion(ShellState& state, const ExpansionRules& rules) : state_(state), rules_(rules) {}

  std::vector<ShellText> run(const ShellText& word) {
    expand(word, false, 0);
    end_word();
    if (!rules_.splits && words_.empty()) {
      words_.emplace_back();
    }
    return std::move(words_);
  }

 private:
  void push(ShellChar c) {
    if (state_.characters_left-- > 0) {
      current_.push_back(c);
      has_current_ = true;
    }
  }
  void end_word() {
    if (!current_.empty() || (has_current_ && !has_no_items_)) {
      words_.push_back(std::move(current_));
    }
    current_.clear();
    has_current_ = false;
    has_no_items_ = false;
  }

  /// A variable's text: unquoted, its blanks part words. `keeps_quotes`: but for those that are quoted in it.
  void push_value(const ShellText& value, bool quoted, bool keeps_quotes = false) {
    for (const ShellChar& c : value) {
      const bool blank = c.letter == ' ' || c.letter == '\t' || c.letter == '\n';
      const bool stays = quoted || state_.marks.is_unknown(c.mark) || (keeps_quotes && c.quoted);
      if (blank && !stays && rules_.splits) {
        end_word();
        continue;
      }
      ShellChar pushed = c;
      pushed.quoted = stays;
      push(pushed);
    }
    has_current_ = has_current_ || quoted;
  }

  /// `text` stands for what only a run knows.
  void push_unknown(const ShellText& text) {
    std::string spelled;
    for (const ShellChar& c : text) {
      if (spelled.size() < 60) {
        spelled.push_back(std::iscntrl(static_cast<unsigned char>(c.letter)) != 0 ? ' ' : c.letter);
      }
    }
    const std::int32_t mark = state_.marks.add(ShellMarks::Kind::kUnknown, std::move(spelled));
    for (ShellChar c : text) {
      c.quoted = true;
      c.mark = mark;
      push(c);
    }
  }
  void push_unset(const ShellText& text, bool quoted) {
    if (!rules_.unset_is_empty) {
      push_unknown(text);
    }
    has_current_ = has_current_ || quoted;
  }

  void expand(const ShellText& word, bool quoted, int depth) {
    for (std::size_t at = 0; at < word.size() && state_.characters_left > 0;) {
      const ShellChar& c = word[at];
      if (c.quoted || depth > kDeepestExpansion) {
        push(c);
        ++at;
      } else if (c.letter == '"') {
        quoted = !quoted;
        has_current_ = true;
        ++at;
      } else if (c.letter == '\\') {
        at += expand_backslash(word, at, quoted);
      } else if (c.letter == '\'' && !quoted) {
        const std::size_t end = std::min(end_of_quoted(word, at), word.size() + 1);
        for (++at; at + 1 < end; ++at) {
          push({word[at].letter, true, word[at].line, word[at].mark});
        }
        has_current_ = true;
        at = end;
      } else if (c.letter == '$' || c.letter == '`') {
        at += expand_dollar(word, at, quoted, depth);
      } else if (c.letter == ' ' && !quoted && rules_.splits) {  // in the word behind an operator
        end_word();
        ++at;
      } else {
        push({c.letter, quoted, c.line, c.mark});
        ++at;
      }
    }
  }

  /// How many letters it took.
  std::size_t expand_backslash(const ShellText& word, std::size_t at, bool quoted) {
    if (at + 1 >= word.size()) {
      push(word[at]);
      return 1;
    }
    const char next = word[at + 1].letter;
    const bool escapes = !quoted || next == '$' || next == '`' || next == '"' || next == '\\' || next == '\n';
    if (!escapes) {
      push({'\\', true, word[at].line, 0});
    }
    if (next != '\n') {
      push({next, true, word[at + 1].line, word[at + 1].mark});
    }
    return 2;
  }

  static ShellText slice(const ShellText& word, std::size_t from, std::size_t to) {
    return {word.begin() + static_cast<std::ptrdiff_t>(from), word.begin() + static_cast<std::ptrdiff_t>(to)};
  }

  std::size_t expand_dollar(const ShellText& word, std::size_t at, bool quoted, int depth) {
    const std::size_t end = end_of_quoted(word, at);
    const bool brackets = end != at && end <= word.size();
    if (brackets && word[at].letter == '$' && word[at + 1].letter == '{') {
      expand_parameter(slice(word, at, end), parse_parameter(slice(word, at + 2, end - 1)), quoted, depth);
      return end - at;
    }
    if (brackets && end - at >= 5 && word[at].letter == '$' && word[at + 2].letter == '(' &&
        word[end - 2].letter == ')') {
      expand_arithmetic(slice(word, at, end), slice(word, at + 3, end - 2));
      return end - at;
    }
    if (brackets) {
      push_unknown(slice(word, at, end));
      return end - at;
    }
    std::size_t last = at + 1;
    if (last < word.size() && std::isdigit(static_cast<unsigned char>(word[last].letter)) != 0) {
      ++last;
    } else {
      while (last < word.size() && is_name_letter(word[last].letter)) {
        ++last;
      }
      if (last == at + 1 && last < word.size() &&
          std::string_view("@*#?$!-").find(word[last].letter) != std::string_view::npos) {
        ++last;
      }
    }
    if (last == at + 1) {
      push(word[at]);
      return 1;
    }
    ParameterRequest request;
    for (std::size_t i = at + 1; i < last; ++i) {
      request.name.push_back(word[i].letter);
    }
    expand_parameter(slice(word, at, last), request, quoted, depth);
    return last - at;
  }

  void expand_arithmetic(const ShellText& whole, const ShellText& inner) {
    const ShellText text = expand_value(inner, state_);
    std::int32_t mark = state_.marks.mark_of(text);
    const auto value_of = [&](std::string_view name) -> std::optional<std::int64_t> {
      const ShellVariable* variable = state_.find(name);
      if (variable == nullptr || variable->items.empty()) {
        return std::nullopt;
      }
      const std::int32_t own = state_.marks.mark_of(variable->items.front());
      mark = state_.marks.is_unknown(mark) || own == 0 ? mark : own;
      const Result<std::int64_t> number = parse_integer(letters_of(variable->items.front()));
      return number ? std::optional(*number) : std::nullopt;
    };
    const auto value = shell_arithmetic(letters_of(text), value_of);
    if (!value || state_.marks.is_unknown(mark)) {
      push_unknown(whole);
      return;
    }
    for (const char digit : std::to_string(*value)) {
      push({digit, true, whole.front().line, mark});
    }
  }

  void expand_parameter(const ShellText& whole, const ParameterRequest& request, bool quoted, int depth) {
    if (request.name == "@" || request.name == "*") {
      has_no_items_ = true;  // a script's arguments
      return;
    }
    if (request.name == "#" && request.op.empty()) {
      push({'0', true, whole.front().line, 0});
      return;
    }
    const ShellVariable* variable = state_.find(request.name);
    const bool with_colon = request.op.starts_with(':');
    const std::string_view op = std::string_view(request.op).substr(with_colon ? 1 : 0);
    const bool is_empty = variable == nullptr || variable->items.empty() ||
                          (with_colon && variable->items.size() == 1 && variable->items.front().empty());
    if (op == "+") {
      if (!is_empty) {
        expand(request.word, quoted, depth + 1);
      }
    } else if ((op == "-" || op == "=") && is_empty) {
      expand_default(request, quoted, depth);
    } else if (!op.empty() && op != "-" && op != "=" && op != "?") {
      push_unknown(whole);
    } else if (variable == nullptr) {
      push_unset(whole, quoted);
    } else {
      push_items(*variable, whole, request.index, quoted);
    }
  }

  /// The word behind an operator, expanded.
  ShellText alternative(const ParameterRequest& request, int depth) {
    if (depth >= kDeepestExpansion) {
      return {};
    }
    ExpansionRules whole = rules_;
    whole.splits = false;
    WordExpansion inner(state_, whole);
    inner.depth_ = depth + 1;
    return inner.run_at_depth(request.word);
  }

  void expand_default(const ParameterRequest& request, bool quoted, int depth) {
    const std::int32_t mark = state_.marks.add(ShellMarks::Kind::kDefault, request.name);
    ShellText value = alternative(request, depth);
    for (ShellChar& c : value) {
      c.mark = c.mark == 0 ? mark : c.mark;
    }
    if (request.op.ends_with('=')) {
      state_.variables[request.name] = {{value}, value.empty() ? 0 : value.front().line};
    }
    push_value(value, quoted, true);
  }
  ShellText run_at_depth(const ShellText& word) {
    expand(word, false, depth_);
    return std::move(current_);
  }

  void push_items(const ShellVariable& variable, const ShellText& whole, const std::string& index,
                  bool quoted) {
    if (index == "@" || index == "*") {
      has_no_items_ = has_no_items_ || variable.items.empty();
      for (std::size_t i = 0; i < variable.items.size(); ++i) {
        if (i > 0 && (index == "*" && quoted)) {
          push({' ', true, whole.front().line, 0});
        } else if (i > 0 && rules_.splits) {
          end_word();
        } else if (i > 0) {
          push({' ', quoted, whole.front().line, 0});
        }
        push_value(variable.items[i], quoted);
      }
      return;
    }
    const Result<std::int64_t> number = index.empty() ? Result<std::int64_t>(0) : parse_integer(index);
    if (!number || *number < 0 || *number >= std::ssize(variable.items)) {
      push_unset(whole, quoted);
      return;
    }
    push_value(variable.items[static_cast<std::size_t>(*number)], quoted);
  }

  ShellState& state_;
  ExpansionRules rules_;
  int depth_ = 0;
  std::vector<ShellText> words_;
  ShellText current_;
  bool has_current_ = false;   ///< there is a word, if an empty one
  bool has_no_items_ = false;  ///< "${NAME[@]}" without items is no word, quotes or not
};

}  // namespace

std::vector<ShellText> expand_word(const ShellText& word, ShellState& state, const ExpansionRules& rules) {
  return WordExpansion(state, rules).run(word);
}

ShellText expand_value(const ShellText& word, ShellState& state) {
  std::vector<ShellText> words = expand_word(word, state, {.splits = false, .unset_is_empty = false});
  return std::move(words.front());
}

}  // namespace portolan
