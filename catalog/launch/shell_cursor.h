#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catalog/launch/shell_lexer.h"

namespace portolan {

/// A place among tokens, moved by taking what is there. Behind the last one there are ends.
class ShellCursor {
 public:
  ShellCursor() = default;
  explicit ShellCursor(std::vector<ShellToken> tokens) : tokens_(std::move(tokens)) {}

  const ShellToken& peek() const {
    static const ShellToken kEnd{};
    return at_ < tokens_.size() ? tokens_[at_] : kEnd;
  }
  ShellToken next() {
    ShellToken token = peek();
    ++at_;
    return token;
  }
  void skip() { ++at_; }
  void skip_all() { at_ = tokens_.size(); }
  std::size_t at() const { return at_; }

  bool is(ShellToken::Kind kind) const { return peek().kind == kind; }
  bool is_end() const { return is(ShellToken::Kind::kEnd); }
  bool take_word(std::string_view word) { return take_if(peek().is_word(word)); }
  bool take_operator(std::string_view op) { return take_if(peek().is_operator(op)); }
  bool at_any(std::initializer_list<std::string_view> words) const {
    return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
      return peek().is_word(word) || peek().is_operator(word);
    });
  }

  void skip_newlines() {
    while (is(ShellToken::Kind::kNewline)) {
      skip();
    }
  }
  /// The ends of commands too.
  void skip_separators() {
    while (is(ShellToken::Kind::kNewline) || at_any({";", "&"})) {
      skip();
    }
  }
  void skip_redirections() {
    while (is(ShellToken::Kind::kOperator) && peek().op.find_first_of("<>") != std::string::npos) {
      skip();
      take_if(is(ShellToken::Kind::kWord));
    }
  }

 private:
  bool take_if(bool is_there) {
    if (is_there) {
      skip();
    }
    return is_there;
  }

  std::vector<ShellToken> tokens_;
  std::size_t at_ = 0;
};

}  // namespace portolan
