#include "catalog/launch/shell_script.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "catalog/document/text_check.h"
#include "catalog/launch/shell_assignment.h"
#include "catalog/launch/shell_condition.h"
#include "catalog/launch/shell_cursor.h"

namespace portolan {

namespace {

constexpr std::size_t kLongestScript = 1 << 20;
constexpr int kDeepestScript = 64;

using Mode = ScriptMode;
using Words = std::initializer_list<std::string_view>;

/// Follows the commands of a script: recursive descent over POSIX's grammar (shell command language, 2.10).
class ScriptReader {
 public:
  explicit ScriptReader(const ScriptEnvironment& environment) {
    for (const auto& [name, value] : environment) {
      state_.variables[name] = {{shell_text(value)}, 0};
    }
  }

  Result<LaunchScript> run(std::string_view text) {
    run_text(shell_text(text), Mode::kRun);
    if (!problem_.empty()) {
      return bad_input(problem_);
    }
    for (const auto& [name, variable] : state_.variables) {
      if (!variable.items.empty()) {
        script_.variables[name] = script_word(variable.items.front(), variable.line);
      }
    }
    return std::move(script_);
  }

 private:
  using Kind = ShellToken::Kind;

  void fail(std::int64_t line, std::string_view what) {
    if (problem_.empty()) {
      problem_ = fmt::format(":{}: {}", line, what);
    }
    cursor_.skip_all();
  }
  void expect_word(std::string_view word, std::string_view of) {
    if (!cursor_.take_word(word)) {
      fail(last_line_, fmt::format("\"{}\" without its \"{}\"", of, word));
    }
  }

  /// Another text in the place of the one that is read: the script itself, what `eval` is given.
  Truth run_text(const ShellText& text, Mode mode) {
    if (++depth_ > kDeepestScript) {
      fail(last_line_, fmt::format("nested over {} levels", kDeepestScript));
      return Truth::kUnknown;
    }
    Result<std::vector<ShellToken>> tokens = read_shell_tokens(text, script_.notes);
    if (!tokens) {
      problem_ = problem_.empty() ? tokens.error().message : problem_;
      cursor_.skip_all();
      return Truth::kUnknown;
    }
    ShellCursor outer = std::exchange(cursor_, ShellCursor(*std::move(tokens)));
    Truth last = Truth::kYes;
    while (!cursor_.is_end()) {
      const std::size_t before = cursor_.at();
      last = run_list(mode, {});
      if (cursor_.at() == before) {
        cursor_.skip();  // a ")" or "fi" without its beginning
      }
    }
    cursor_ = std::move(outer);
    if (!problem_.empty()) {
      cursor_.skip_all();
    }
    --depth_;
    return last;
  }

  /// Commands up to one of `terminators`, which stays. What the last one came to.
  Truth run_list(Mode mode, Words terminators) {
    if (++depth_ > kDeepestScript) {
      fail(last_line_, fmt::format("nested over {} levels", kDeepestScript));
    }
    Truth last = Truth::kYes;
    cursor_.skip_separators();
    while (!cursor_.is_end() && !cursor_.at_any(terminators)) {
      const std::size_t before = cursor_.at();
      last = run_and_or(mode);
      cursor_.skip_separators();
      if (cursor_.at() == before) {
        break;
      }
    }
    --depth_;
    return last;
  }

  Truth run_and_or(Mode mode) {
    Truth status = run_pipeline(mode);
    while (cursor_.at_any({"&&", "||"})) {
      if (status == Truth::kUnknown && was_program_) {
        status = Truth::kYes;  // programs are taken to succeed
      }
      const bool is_and = cursor_.next().op == "&&";
      cursor_.skip_newlines();
      const Mode right = mode_if(mode, is_and ? status : !status);
      const Truth result = run_pipeline(right);
      status = right == Mode::kSkip ? status : right == Mode::kDoubt ? Truth::kUnknown : result;
    }
    return status;
  }

  Truth run_pipeline(Mode mode) {
    const bool negated = cursor_.take_word("!");
    was_program_ = false;
    Truth status = run_command(mode);
    while (cursor_.take_operator("|")) {
      cursor_.skip_newlines();
      status = run_command(mode);
    }
    return negated ? !status : status;
  }

  Truth run_command(Mode mode) {
    last_line_ = std::max(last_line_, cursor_.peek().line);
    if (cursor_.take_word("if")) {
      return run_if(mode);
    }
    for (const std::string_view loop : {"while", "until", "for", "select"}) {
      if (cursor_.take_word(loop)) {
        return run_loop(loop, mode);
      }
    }
    if (cursor_.take_word("case")) {
      return run_case(mode);
    }
    if (cursor_.take_word("[[")) {
      return run_bracket_test(mode);
    }
    if (cursor_.is(Kind::kArithmetic)) {
      const ShellToken token = cursor_.next();
      return mode == Mode::kSkip ? Truth::kUnknown : arithmetic_condition(token.word, state_);
    }
    if (cursor_.take_word("{")) {
      const Truth status = run_list(mode, {"}"});
      expect_word("}", "{");
      cursor_.skip_redirections();
      return status;
    }
    if (cursor_.take_operator("(")) {
      const Truth status = run_list(mode, {")"});
      cursor_.take_operator(")");
      cursor_.skip_redirections();
      return status;
    }
    return run_simple_command(mode);
  }

  Truth run_if(Mode mode) {
    Mode open = mode;  // of the branches that are left
    do {
      const Truth condition = run_list(open, {"then"});
      expect_word("then", "if");
      run_list(mode_if(open, condition), {"elif", "else", "fi"});
      open = mode_if(open, !condition);
    } while (cursor_.take_word("elif"));
    if (cursor_.take_word("else")) {
      run_list(open, {"fi"});
    }
    expect_word("fi", "if");
    cursor_.skip_redirections();
    return Truth::kYes;
  }

  Truth run_loop(std::string_view loop, Mode mode) {
    Truth condition = Truth::kUnknown;
    if (loop == "for" || loop == "select") {
      const ShellToken name = cursor_.next();
      while (!cursor_.is_end() && !cursor_.peek().is_word("do")) {
        cursor_.skip();
      }
      ShellAssignment(state_, script_.notes, mode).set_unknown(letters_of(name.word), name.line);
    } else {
      condition = run_list(mode, {"do"});
      condition = loop == "until" ? !condition : condition;
    }
    expect_word("do", loop);
    run_list(mode_if(mode, condition == Truth::kNo ? condition : Truth::kUnknown), {"done"});
    expect_word("done", loop);
    cursor_.skip_redirections();
    return Truth::kYes;
  }

  Truth run_case(Mode mode) {
    const TestWord subject = test_operand(cursor_.next().word, state_);
    cursor_.skip_separators();
    expect_word("in", "case");
    cursor_.skip_separators();
    Truth open = Truth::kYes;  // whether no clause before has been taken
    while (!cursor_.is_end() && !cursor_.peek().is_word("esac")) {
      const std::size_t before = cursor_.at();
      const Truth matched = read_patterns(subject);
      const Truth taken = open == Truth::kNo || matched == Truth::kNo ? Truth::kNo
                          : open == matched                           ? matched
                                                                      : Truth::kUnknown;
      run_list(mode_if(mode, taken), {";;", ";;&", "esac"});
      open = taken == Truth::kYes ? Truth::kNo : taken == Truth::kNo ? open : Truth::kUnknown;
      if (cursor_.is(Kind::kOperator) || cursor_.at() == before) {
        cursor_.skip();
      }
      cursor_.skip_separators();
    }
    expect_word("esac", "case");
    cursor_.skip_redirections();
    return Truth::kYes;
  }

  /// PATTERN | PATTERN ... ): whether one matches.
  Truth read_patterns(const TestWord& subject) {
    Truth matched = Truth::kNo;
    cursor_.take_operator("(");
    while (cursor_.is(Kind::kWord) || cursor_.peek().is_operator("|")) {
      const ShellToken token = cursor_.next();
      if (token.kind == Kind::kWord && matched != Truth::kYes) {
        const TestWord pattern = test_operand(token.word, state_);
        const Truth one =
            subject && pattern ? truth_of(matches_pattern(*subject, *pattern)) : Truth::kUnknown;
        matched = one == Truth::kNo ? matched : one;
      }
    }
    cursor_.take_operator(")");
    return matched;
  }

  Truth run_bracket_test(Mode mode) {
    std::vector<TestWord> words;
    while (!cursor_.is_end() && !cursor_.peek().is_word("]]")) {
      const ShellToken token = cursor_.next();
      if (token.kind == Kind::kWord) {
        words.push_back(test_operand(token.word, state_));
      } else if (token.kind == Kind::kOperator) {
        words.emplace_back(token.op);
      }
    }
    expect_word("]]", "[[");
    return mode == Mode::kSkip ? Truth::kUnknown : shell_test(words, true);
  }

  Truth run_simple_command(Mode mode) {
    std::vector<ShellToken> tokens;
    while (cursor_.is(Kind::kWord) || cursor_.is(Kind::kArray) || cursor_.is(Kind::kOperator)) {
      const std::size_t before = cursor_.at();
      cursor_.skip_redirections();
      if (cursor_.is(Kind::kOperator) && cursor_.at() == before) {
        break;
      }
      if (cursor_.is(Kind::kWord) || cursor_.is(Kind::kArray)) {
        tokens.push_back(cursor_.next());
      }
    }
    if (tokens.size() == 1 && cursor_.take_operator("(")) {  // a function, whose body is read where it stands
      cursor_.take_operator(")");
      cursor_.skip_newlines();
      return Truth::kYes;
    }
    if (mode == Mode::kSkip || tokens.empty()) {
      return Truth::kUnknown;
    }
    ShellAssignment assignment(state_, script_.notes, mode);
    const auto first = std::find_if(tokens.begin(), tokens.end(),
                                    [&](const ShellToken& token) { return !assignment.run(token); });
    tokens.erase(tokens.begin(), first);
    if (state_.characters_left <= 0) {
      fail(last_line_, "expands to over 4 million characters");
    }
    return tokens.empty() ? Truth::kYes : run_words(tokens, mode);
  }

  /// Builtins that say something; what is left is a program.
  Truth run_words(const std::vector<ShellToken>& tokens, Mode mode) {
    static constexpr std::array<std::string_view, 5> kDeclarations = {"export", "declare", "local",
                                                                      "readonly", "typeset"};
    const std::string name = letters_of(tokens.front().word);
    ShellAssignment assignment(state_, script_.notes, mode);
    if (std::find(kDeclarations.begin(), kDeclarations.end(), name) != kDeclarations.end()) {
      std::for_each(tokens.begin() + 1, tokens.end(),
                    [&](const ShellToken& token) { assignment.run(token); });
      return Truth::kYes;
    }
    if (name == "read") {
      std::for_each(tokens.begin() + 1, tokens.end(), [&](const ShellToken& token) {
        assignment.set_unknown(letters_of(token.word), token.line);
      });
      return Truth::kUnknown;
    }
    if (name == "[" || name == "test") {
      std::vector<TestWord> words;
      std::for_each(tokens.begin() + 1, tokens.end(),
                    [&](const ShellToken& token) { words.push_back(test_operand(token.word, state_)); });
      if (name == "[" && !words.empty() && words.back() == "]") {
        words.pop_back();
      }
      return shell_test(words, false);
    }
    if (name == "true" || name == ":" || name == "false") {
      return truth_of(name != "false");
    }
    if (name == "source" || name == ".") {
      script_.notes.push_back({tokens.front().line, "the file that is sourced here is not read"});
      return Truth::kYes;
    }
    std::vector<ShellText> words;
    for (const ShellToken& token : tokens) {
      std::vector<ShellText> expanded = expand_word(token.word, state_, {});
      std::move(expanded.begin(), expanded.end(), std::back_inserter(words));
    }
    return run_program(words, tokens.front().line, mode);
  }

  Truth run_program(const std::vector<ShellText>& words, std::int32_t line, Mode mode) {
    if (words.empty()) {
      return Truth::kYes;
    }
    if (letters_of(words.front()) == "eval") {
      ShellText text;
      for (std::size_t i = 1; i < words.size(); ++i) {
        text.insert(text.end(), words[i].begin(), words[i].end());
        text.push_back({' ', false, line, 0});
      }
      return run_text(as_script(std::move(text), state_.marks), mode);
    }
    if (const std::size_t nested = nested_script(words); nested > 0) {
      add_command({words.begin(), words.begin() + static_cast<std::ptrdiff_t>(nested)}, line);
      return run_text(as_script(words[nested], state_.marks), mode);
    }
    add_command(words, line);
    was_program_ = true;
    return Truth::kUnknown;
  }

  void add_command(const std::vector<ShellText>& words, std::int32_t line) {
    ScriptCommand command{.line = line, .words = {}};
    for (const ShellText& word : words) {
      command.words.push_back(script_word(word, line));
    }
    script_.commands.push_back(std::move(command));
  }

  ScriptWord script_word(const ShellText& text, std::int32_t line) const {
    ScriptWord word{.text = letters_of(text),
                    .line = text.empty() ? line : text.front().line,
                    .unknown = {},
                    .unset = {}};
    if (const std::int32_t mark = state_.marks.mark_of(text); mark != 0) {
      (state_.marks.is_unknown(mark) ? word.unknown : word.unset) = state_.marks.text(mark);
    }
    return word;
  }

  ShellState state_;
  LaunchScript script_;
  ShellCursor cursor_;
  int depth_ = 0;
  std::int32_t last_line_ = 1;
  bool was_program_ = false;  ///< the last command, of whose success a script's text says nothing
  std::string problem_;
};

}  // namespace

Result<LaunchScript> read_shell_script(std::string_view text, const std::string& file,
                                       const ScriptEnvironment& environment) {
  if (text.size() > kLongestScript) {
    return bad_input(fmt::format("{}: is {} bytes (allowed: up to {})", file, text.size(), kLongestScript));
  }
  PORTOLAN_CHECK_OK(check_is_text(text, file));
  Result<LaunchScript> script = ScriptReader(environment).run(text);
  if (!script) {
    return bad_input(file + script.error().message);
  }
  return script;
}

}  // namespace portolan
