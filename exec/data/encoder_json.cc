#include "exec/data/encoder_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "exec/data/quoted_excerpt.h"

namespace portolan {

namespace {

using Json = nlohmann::json;

/// Reads characters and counts the lines that the parser has passed: its events carry no position.
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

/// Receives the parser's events (the names are nlohmann-json's) and stops it at the first that is not part
/// of a flat object of whole numbers.
class EntryCollector {
 public:
  EntryCollector(std::string_view place, const int* line) : place_(place), line_(line) {}

  bool null() { return refuse("null"); }
  bool boolean(bool value) { return refuse(value ? "true" : "false"); }
  bool number_integer(Json::number_integer_t value) { return refuse(fmt::format("{}", value)); }
  bool number_float(Json::number_float_t, const std::string& text) { return refuse(quoted_excerpt(text)); }
  bool string(const std::string& value) { return refuse(quoted_excerpt(value)); }
  bool binary(const Json::binary_t&) { return refuse("binary data"); }
  bool start_array(std::size_t) { return refuse("an array"); }
  bool end_array() { return true; }
  bool end_object() { return true; }

  bool start_object(std::size_t) {
    if (is_inside_) {
      return refuse("an object");
    }
    is_inside_ = true;
    return true;
  }
  bool key(std::string& symbol) {
    entries.push_back({std::move(symbol), 0, *line_});
    return true;
  }
  bool number_unsigned(Json::number_unsigned_t value) {
    if (!is_inside_) {
      return refuse(fmt::format("{}", value));
    }
    entries.back().id = value;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const Json::exception&) {
    error =
        bad_input(fmt::format("{}:{}: not JSON (one object, \"symbol\": id, is expected)", place_, *line_));
    return false;
  }

  std::vector<EncoderEntry> entries;
  std::optional<Error> error;

 private:
  bool refuse(const std::string& value) {
    error =
        is_inside_
            ? bad_input(fmt::format("{}:{}: {}: {} is not a token id (a whole number from 0)", place_,
                                    entries.back().line, quoted_excerpt(entries.back().symbol), value))
            : bad_input(fmt::format("{}:{}: {} is not an object (of \"symbol\": id)", place_, *line_, value));
    return false;
  }

  std::string_view place_;
  const int* line_;
  bool is_inside_ = false;
};

}  // namespace

Result<std::vector<EncoderEntry>> parse_encoder_json(std::string_view text, std::string_view place) {
  int line = 1;
  int end_line = 1;
  EntryCollector collector(place, &line);
  const bool is_read =
      Json::sax_parse(LineCountingIterator(text.data(), &line),
                      LineCountingIterator(text.data() + text.size(), &end_line), &collector);
  if (!is_read) {
    return collector.error.value_or(bad_input(fmt::format("{}:{}: not JSON", place, line)));
  }
  return std::move(collector.entries);
}

}  // namespace portolan
