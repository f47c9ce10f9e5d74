#include "catalog/launch/shell_lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace portolan {

namespace {

// Longest first.
constexpr std::array<std::string_view, 20> kShellOperators = {"<<<", "&>>", "<<-", ";;&", "<<", ">>", "&&",
                                                              "||",  ";;",  ">&",  "<&",  "&>", ">|", ";",
                                                              "&",   "|",   "<",   ">",   "(",  ")"};
constexpr int kDeepestBrackets = 64;

bool is_letter(const ShellText& text, std::size_t at, char letter) {
  return at < text.size() && text[at].letter == letter && !text[at].quoted;
}
bool is_blank(const ShellText& text, std::size_t at) {
  return is_letter(text, at, ' ') || is_letter(text, at, '\t');
}

/// One past the `close` that belongs to the opening bracket before `at`.
std::size_t end_of_brackets(const ShellText& text, std::size_t at, char open, char close, int depth);

std::size_t end_of_double_quotes(const ShellText& text, std::size_t at, int depth);

std::size_t end_of_part(const ShellText& text, std::size_t at, int depth) {
  const std::size_t none = text.size() + 1;
  if (depth > kDeepestBrackets) {
    return none;
  }
  if (is_letter(text, at, '\'') || is_letter(text, at, '`')) {
    const char close = text[at].letter;
    for (std::size_t i = at + 1; i < text.size(); ++i) {
      if (is_letter(text, i, close)) {
        return i + 1;
      }
      i += close == '`' && is_letter(text, i, '\\') ? 1U : 0U;
    }
    return none;
  }
  if (is_letter(text, at, '"')) {
    return end_of_double_quotes(text, at + 1, depth);
  }
  if (is_letter(text, at, '$') && is_letter(text, at + 1, '{')) {
    return end_of_brackets(text, at + 2, '{', '}', depth);
  }
  if (is_letter(text, at, '$') && is_letter(text, at + 1, '(')) {
    return end_of_brackets(text, at + 2, '(', ')', depth);
  }
  return at;
}

std::size_t end_of_double_quotes(const ShellText& text, std::size_t at, int depth) {
  while (at < text.size()) {
    if (is_letter(text, at, '"')) {
      return at + 1;
    }
    if (is_letter(text, at, '\\')) {
      at += 2;
      continue;
    }
    const std::size_t end = is_letter(text, at, '\'') ? at : end_of_part(text, at, depth + 1);
    at = end == at ? at + 1 : end;
  }
  return text.size() + 1;
}

std::size_t end_of_brackets(const ShellText& text, std::size_t at, char open, char close, int depth) {
  int unclosed = 1;
  while (at < text.size()) {
    if (is_letter(text, at, '\\')) {
      at += 2;
      continue;
    }
    const std::size_t end = end_of_part(text, at, depth + 1);
    if (end != at) {
      at = end;
      continue;
    }
    unclosed += is_letter(text, at, open) ? 1 : 0;
    unclosed -= is_letter(text, at, close) ? 1 : 0;
    ++at;
    if (unclosed == 0) {
      return at;
    }
  }
  return text.size() + 1;
}

/// "NAME=" or "NAME+=", and nothing else.
bool begins_array(const ShellText& word) {
  std::size_t length = word.size();
  if (length < 2 || word[length - 1].letter != '=') {
    return false;
  }
  length -= word[length - 2].letter == '+' ? 2U : 1U;
  for (std::size_t i = 0; i < length; ++i) {
    const auto letter = static_cast<unsigned char>(word[i].letter);
    if (std::isalnum(letter) == 0 && letter != '_') {
      return false;
    }
  }
  return length > 0;
}

class ShellLexer {
 public:
  ShellLexer(const ShellText& text, std::vector<ShellNote>& notes) : text_(text), notes_(notes) {}

  Result<std::vector<ShellToken>> run() {
    while (problem_.empty()) {
      skip_blanks();
      if (at_ >= text_.size()) {
        break;
      }
      step();
    }
    if (!problem_.empty()) {
      return bad_input(problem_);
    }
    tokens_.push_back({.kind = ShellToken::Kind::kEnd, .line = line(), .word = {}, .elements = {}, .op = {}});
    return std::move(tokens_);
  }

 private:
  using Kind = ShellToken::Kind;

  std::int32_t line() const { return text_.empty() ? 1 : text_[std::min(at_, text_.size() - 1)].line; }
  bool here(char letter) const { return is_letter(text_, at_, letter); }
  void fail(std::int32_t line, std::string_view what) {
    if (problem_.empty()) {
      problem_ = fmt::format(":{}: {}", line, what);
    }
  }
  void add(Kind kind, std::int32_t line, ShellText word = {}, std::string op = {}) {
    tokens_.push_back(
        {.kind = kind, .line = line, .word = std::move(word), .elements = {}, .op = std::move(op)});
  }

  void skip_comment() {
    while (at_ < text_.size() && !here('\n')) {
      ++at_;
    }
  }

  /// Blanks, comments and the ends of continued lines.
  void skip_blanks() {
    while (at_ < text_.size()) {
      if (is_blank(text_, at_)) {
        ++at_;
      } else if (here('#')) {
        skip_comment();
      } else if (!skip_continuation()) {
        return;
      }
    }
  }

  /// A "\" at the end of a line, or one that only blanks and a comment part from it.
  bool skip_continuation() {
    if (!here('\\')) {
      return false;
    }
    std::size_t next = at_ + 1;
    while (is_blank(text_, next)) {
      ++next;
    }
    const bool at_end = next >= text_.size() || is_letter(text_, next, '\n');
    if (!at_end && !(next > at_ + 1 && is_letter(text_, next, '#'))) {
      return false;
    }
    if (next > at_ + 1) {
      notes_.push_back({line(), "a \"\\\" with more behind it ends the command in a shell; read on"});
    }
    at_ = next;
    skip_comment();
    ++at_;  // the line's end
    skip_comments_within();
    return true;
  }

  /// Whole lines of comments behind a "\": the shell ends the command there. What was meant shows in the
  /// line that follows them, or in the "\" at their own end.
  void skip_comments_within() {
    std::size_t next = at_;
    bool goes_on = false;
    const std::int32_t first = line();
    while (true) {
      std::size_t start = next;
      while (is_blank(text_, start)) {
        ++start;
      }
      if (!is_letter(text_, start, '#')) {
        goes_on = goes_on || is_letter(text_, start, '-');
        break;
      }
      next = start;
      while (next < text_.size() && text_[next].letter != '\n') {
        ++next;
      }
      goes_on = text_[next - 1].letter == '\\';
      ++next;
    }
    if (next != at_ && goes_on) {
      notes_.push_back({first, "a comment among continued lines ends the command in a shell; read on"});
      at_ = std::min(next, text_.size());
    }
  }

  void step() {
    const std::int32_t first = line();
    if (here('\n')) {
      ++at_;
      add(Kind::kNewline, first);
      skip_here_documents();
      return;
    }
    if (here('(') && is_letter(text_, at_ + 1, '(')) {
      const std::size_t end = end_of_brackets(text_, at_ + 1, '(', ')', 0);
      if (end <= text_.size() && end >= at_ + 4 && is_letter(text_, end - 2, ')')) {
        add(Kind::kArithmetic, first, part(at_ + 2, end - 2));
        at_ = end;
        return;
      }
    }
    for (const std::string_view op : kShellOperators) {
      if (matches(op)) {
        at_ += op.size();
        add(Kind::kOperator, first, {}, std::string(op));
        here_document_next_ = op == "<<" || op == "<<-";
        return;
      }
    }
    read_word_token(first);
  }

  bool matches(std::string_view op) const {
    for (std::size_t i = 0; i < op.size(); ++i) {
      if (!is_letter(text_, at_ + i, op[i])) {
        return false;
      }
    }
    return true;
  }

  ShellText part(std::size_t from, std::size_t to) const {
    return {text_.begin() + static_cast<std::ptrdiff_t>(from),
            text_.begin() + static_cast<std::ptrdiff_t>(to)};
  }

  bool ends_word() const {
    return at_ >= text_.size() || is_blank(text_, at_) || here('\n') || here(';') || here('&') || here('|') ||
           here('<') || here('>') || here('(') || here(')');
  }

  ShellText read_word() {
    ShellText word;
    const auto take = [&](std::size_t end) {
      word.insert(word.end(), text_.begin() + static_cast<std::ptrdiff_t>(at_),
                  text_.begin() + static_cast<std::ptrdiff_t>(end));
      at_ = end;
    };
    while (!ends_word()) {
      const std::size_t end = end_of_part(text_, at_, 0);
      if (end > text_.size()) {
        fail(line(), fmt::format("a {} without its end",
                                 here('$') ? std::string("\"$") + text_[at_ + 1].letter + "\""
                                           : std::string("quote (") + text_[at_].letter + ")"));
        at_ = text_.size();
      } else if (end != at_) {
        take(end);
      } else if (here('\\')) {
        if (skip_continuation()) {
          continue;
        }
        take(std::min(at_ + 2, text_.size()));
      } else {
        take(at_ + 1);
      }
    }
    return word;
  }

  void read_word_token(std::int32_t first) {
    ShellText word = read_word();
    if (here('(') && begins_array(word)) {
      ++at_;
      read_array(first, std::move(word));
      return;
    }
    if (here_document_next_) {
      here_document_next_ = false;
      std::string delimiter = letters_of(word);
      std::erase_if(delimiter, [](char c) { return c == '"' || c == '\'' || c == '\\'; });
      here_documents_.push_back(delimiter);
    }
    const bool is_descriptor =
        (here('<') || here('>')) && !word.empty() && std::all_of(word.begin(), word.end(), [](ShellChar c) {
          return std::isdigit(static_cast<unsigned char>(c.letter)) != 0;
        });
    if (!is_descriptor) {
      add(Kind::kWord, first, std::move(word));
    }
  }

  void read_array(std::int32_t first, ShellText name) {
    ShellToken token{.kind = Kind::kArray, .line = first, .word = std::move(name), .elements = {}, .op = {}};
    while (problem_.empty()) {
      skip_blanks();
      if (at_ >= text_.size()) {
        fail(first, "an array's \"(\" without its \")\"");
      } else if (here(')')) {
        ++at_;
        break;
      } else if (here('\n')) {
        ++at_;
      } else if (ends_word()) {
        fail(line(), fmt::format("a \"{}\" in an array", text_[at_].letter));
      } else {
        token.elements.push_back(read_word());
      }
    }
    tokens_.push_back(std::move(token));
  }

  void skip_here_documents() {
    for (const std::string& delimiter : here_documents_) {
      bool ended = false;
      while (at_ < text_.size() && !ended) {
        std::string row;
        for (; at_ < text_.size() && text_[at_].letter != '\n'; ++at_) {
          if (text_[at_].letter != '\t' || !row.empty()) {  // "<<-" strips tabs
            row.push_back(text_[at_].letter);
          }
        }
        at_ = std::min(at_ + 1, text_.size());
        ended = row == delimiter;
      }
    }
    here_documents_.clear();
  }

  const ShellText& text_;
  std::vector<ShellNote>& notes_;
  std::size_t at_ = 0;
  std::vector<ShellToken> tokens_;
  std::vector<std::string> here_documents_;  ///< that begin on the next line: their last lines
  bool here_document_next_ = false;
  std::string problem_;
};

}  // namespace

bool ShellToken::is_word(std::string_view text) const {
  if (kind != Kind::kWord || word.size() != text.size()) {
    return false;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_letter(word, i, text[i])) {
      return false;
    }
  }
  return true;
}

Result<std::vector<ShellToken>> read_shell_tokens(const ShellText& text, std::vector<ShellNote>& notes) {
  return ShellLexer(text, notes).run();
}

std::size_t end_of_quoted(const ShellText& text, std::size_t at) { return end_of_part(text, at, 0); }

}  // namespace portolan
