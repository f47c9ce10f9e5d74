#include "catalog/document/json_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "catalog/document/builder.h"
#include "catalog/document/text_check.h"

namespace portolan {

namespace {

constexpr std::size_t kLargestJson = 64U << 20U;

/// Reads characters and counts the lines that went by, for the parser's events carry no place.
class LineCountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  LineCountingIterator(const char* at, int* line) : at_(at), line_(line) {}
  reference operator*() const { return *at_; }
  LineCountingIterator& operator++() {
    *line_ += *at_ == '\n' ? 1 : 0;
    ++at_;
    return *this;
  }
  LineCountingIterator operator++(int) {
    LineCountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const LineCountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const LineCountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  int* line_;
};

/// Passes the parser's events on to a DocumentBuilder.
class JsonEvents {
 public:
  using json = nlohmann::json;

  JsonEvents(DocumentBuilder& builder, const int& line) : builder_(builder), line_(line) {}

  bool null() {
    builder_.null(value_line());
    return !builder_.has_problem();
  }
  bool boolean(bool value) { return plain(value ? "true" : "false"); }
  bool number_integer(json::number_integer_t value) { return plain(fmt::format("{}", value)); }
  bool number_unsigned(json::number_unsigned_t value) { return plain(fmt::format("{}", value)); }
  bool number_float(json::number_float_t /*value*/, const json::string_t& raw) { return plain(raw); }
  bool string(json::string_t& value) {
    builder_.scalar(value, true, value_line());
    return !builder_.has_problem();
  }
  bool binary(json::binary_t& /*value*/) { return false; }
  bool start_object(std::size_t /*elements*/) {
    builder_.start_mapping(value_line());
    return !builder_.has_problem();
  }
  bool key(json::string_t& value) {
    key_line_ = line_;
    builder_.key(value, line_);
    return !builder_.has_problem();
  }
  bool end_object() { return end(); }
  bool start_array(std::size_t /*elements*/) {
    builder_.start_sequence(value_line());
    return !builder_.has_problem();
  }
  bool end_array() { return end(); }
  bool parse_error(std::size_t position, const std::string& /*last_token*/,
                   const json::exception& exception) {
    error_position_ = position;
    error_ = exception.what();
    return false;
  }

  const std::string& error() const { return error_; }
  std::size_t error_position() const { return error_position_; }

 private:
  /// The line of the key where a value is one of a mapping: the lexer may already be past a number's line.
  int value_line() {
    const int line = key_line_ > 0 ? key_line_ : line_;
    key_line_ = 0;
    return line;
  }
  bool plain(std::string_view text) {
    builder_.scalar(text, false, value_line());
    return !builder_.has_problem();
  }
  bool end() {
    builder_.end();
    return !builder_.has_problem();
  }

  DocumentBuilder& builder_;
  const int& line_;
  int key_line_ = 0;
  std::string error_;
  std::size_t error_position_ = 0;
};

Error syntax_error(std::string_view text, std::string_view file, const JsonEvents& events) {
  const std::string_view before = text.substr(0, std::max<std::size_t>(events.error_position(), 1) - 1);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return bad_input(fmt::format("{}:{}:{}: is not JSON: {}", printable(file), line,
                               before.size() - line_start + 1, printable(json_error_reason(events.error()))));
}

}  // namespace

std::string_view json_error_reason(std::string_view message) {
  const std::size_t column = message.find(", column ");
  const std::string_view before = column == std::string_view::npos ? "] " : ": ";
  const std::size_t at = message.find(before, column == std::string_view::npos ? 0 : column);
  return at == std::string_view::npos ? message : message.substr(at + before.size());
}

Result<DocumentNode> parse_json(std::string_view text, std::string_view file, Notation notation) {
  if (text.size() > kLargestJson) {
    return bad_input(
        fmt::format("{}: is {} bytes (allowed: up to {})", printable(file), text.size(), kLargestJson));
  }
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return bad_input(fmt::format("{}: is empty", printable(file)));
  }
  PORTOLAN_CHECK_OK(check_is_text(text, file));  // the parser takes a NUL byte for the end
  DocumentBuilder builder(std::make_shared<DocumentOrigin>(DocumentOrigin{std::string(file), "", notation}));
  int line = 1;
  JsonEvents events(builder, line);
  try {
    const bool complete =
        nlohmann::json::sax_parse(LineCountingIterator(text.data(), &line),
                                  LineCountingIterator(text.data() + text.size(), &line), &events);
    if (!complete && !builder.has_problem()) {
      return syntax_error(text, file, events);
    }
  } catch (const std::exception& exception) {
    return bad_input(fmt::format("{}: is not JSON: {}", printable(file), printable(exception.what())));
  }
  return builder.finish();
}

}  // namespace portolan
