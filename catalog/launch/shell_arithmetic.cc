#include "catalog/launch/shell_arithmetic.h"

#include <array>
#include <cctype>
#include <limits>

#include "base/parse_quantity.h"

namespace portolan {

namespace {

using Number = std::optional<std::int64_t>;

struct ArithmeticOperator {
  std::string_view text;
  int binding;  ///< the higher, the tighter
};
// Those that begin with another's text come first.
constexpr std::array<ArithmeticOperator, 14> kArithmeticOperators{{{"**", 7},
                                                                   {"||", 1},
                                                                   {"&&", 2},
                                                                   {"==", 3},
                                                                   {"!=", 3},
                                                                   {"<=", 4},
                                                                   {">=", 4},
                                                                   {"<", 4},
                                                                   {">", 4},
                                                                   {"+", 5},
                                                                   {"-", 5},
                                                                   {"*", 6},
                                                                   {"/", 6},
                                                                   {"%", 6}}};

Number power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0 || exponent > 62) {
    return std::nullopt;
  }
  std::int64_t result = 1;
  for (std::int64_t i = 0; i < exponent; ++i) {
    if (__builtin_mul_overflow(result, base, &result)) {
      return std::nullopt;
    }
  }
  return result;
}

Number apply_operator(std::string_view op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (op == "/" || op == "%") {
    if (b == 0 || (a == std::numeric_limits<std::int64_t>::min() && b == -1)) {
      return std::nullopt;
    }
    return op == "/" ? a / b : a % b;
  }
  if (op == "**") {
    return power(a, b);
  }
  if (op == "+") {
    return __builtin_add_overflow(a, b, &result) ? Number() : result;
  }
  if (op == "-") {
    return __builtin_sub_overflow(a, b, &result) ? Number() : result;
  }
  if (op == "*") {
    return __builtin_mul_overflow(a, b, &result) ? Number() : result;
  }
  const bool holds = op == "||"   ? a != 0 || b != 0
                     : op == "&&" ? a != 0 && b != 0
                     : op == "==" ? a == b
                     : op == "!=" ? a != b
                     : op == "<=" ? a <= b
                     : op == ">=" ? a >= b
                     : op == "<"  ? a < b
                                  : a > b;
  return holds ? 1 : 0;
}

/// Precedence climbing.
class ArithmeticReader {
 public:
  ArithmeticReader(std::string_view text, const std::function<Number(std::string_view)>& value_of)
      : text_(text), value_of_(value_of) {}

  Number run() {
    const Number value = expression(0, 0);
    skip_blanks();
    return at_ == text_.size() ? value : std::nullopt;
  }

 private:
  static constexpr int kDeepest = 64;

  void skip_blanks() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) {
      ++at_;
    }
  }
  bool take(char letter) {
    skip_blanks();
    const bool is_there = at_ < text_.size() && text_[at_] == letter;
    at_ += is_there ? 1 : 0;
    return is_there;
  }

  const ArithmeticOperator* next_operator() {
    skip_blanks();
    for (const ArithmeticOperator& op : kArithmeticOperators) {
      if (text_.substr(at_).starts_with(op.text)) {
        return &op;
      }
    }
    return nullptr;
  }

  Number expression(int least_binding, int depth) {
    Number left = operand(depth);
    while (left) {
      const ArithmeticOperator* op = next_operator();
      if (op == nullptr || op->binding < least_binding) {
        break;
      }
      at_ += op->text.size();
      const bool right_first = op->text == "**";
      const Number right =
          depth < kDeepest ? expression(op->binding + (right_first ? 0 : 1), depth + 1) : std::nullopt;
      left = right ? apply_operator(op->text, *left, *right) : std::nullopt;
    }
    return left;
  }

  Number operand(int depth) {
    if (depth > kDeepest) {
      return std::nullopt;
    }
    if (take('(')) {
      const Number inner = expression(0, depth + 1);
      return take(')') ? inner : std::nullopt;
    }
    if (take('-')) {
      const Number inner = operand(depth + 1);
      return inner ? apply_operator("-", 0, *inner) : std::nullopt;
    }
    if (take('+')) {
      return operand(depth + 1);
    }
    if (take('!')) {
      const Number inner = operand(depth + 1);
      return inner ? Number(*inner == 0 ? 1 : 0) : std::nullopt;
    }
    const std::size_t first = at_;
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '_')) {
      ++at_;
    }
    const std::string_view word = text_.substr(first, at_ - first);
    if (word.empty()) {
      return std::nullopt;
    }
    if (std::isdigit(static_cast<unsigned char>(word.front())) != 0) {
      const Result<std::int64_t> number = parse_integer(word);
      return number ? Number(*number) : std::nullopt;
    }
    return value_of_(word);
  }

  std::string_view text_;
  const std::function<Number(std::string_view)>& value_of_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<std::int64_t> shell_arithmetic(
    std::string_view text, const std::function<std::optional<std::int64_t>(std::string_view)>& value_of) {
  return ArithmeticReader(text, value_of).run();
}

}  // namespace portolan
