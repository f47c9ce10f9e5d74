#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace portolan {

/// A JSON value to be written. Objects keep the order in which keys were set, so that the same value is
/// the same text.
class JsonValue {
 public:
  using Array = std::vector<JsonValue>;
  using Object = std::vector<std::pair<std::string, JsonValue>>;
  using Content =
      std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Array, Object>;

  /// null
  JsonValue() = default;
  template <std::same_as<bool> T>
  JsonValue(T flag) : content_(flag) {}
  template <std::signed_integral T>
  JsonValue(T number) : content_(static_cast<std::int64_t>(number)) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) JsonValue(T number) : content_(static_cast<std::uint64_t>(number)) {}
  /// NaN and the infinities are written as null.
  template <std::floating_point T>
  JsonValue(T number) : content_(static_cast<double>(number)) {}
  JsonValue(std::string text) : content_(std::move(text)) {}
  JsonValue(std::string_view text) : content_(std::string(text)) {}
  JsonValue(const char* text) : content_(std::string(text)) {}

  static JsonValue object() { return JsonValue(Content(Object())); }
  static JsonValue array() { return JsonValue(Content(Array())); }

  /// Precondition: an object; `key` is new. Returns this.
  JsonValue& set(std::string_view key, JsonValue value);
  /// Precondition: an array. Returns this.
  JsonValue& append(JsonValue value);

  const Content& content() const { return content_; }
  const Array* as_array() const { return std::get_if<Array>(&content_); }
  const Object* as_object() const { return std::get_if<Object>(&content_); }

 private:
  explicit JsonValue(Content content) : content_(std::move(content)) {}
  Content content_;
};

/// An array of `list`, each item through JsonValue's constructors.
template <typename List>
JsonValue json_list(const List& list) {
  JsonValue array = JsonValue::array();
  for (const auto& item : list) {
    array.append(item);
  }
  return array;
}

/// JSON text for people and machines, with a newline at the end: a small value on one line, a larger one
/// indented, lists of lists and of objects one item a line. Numbers are the shortest that read back exactly.
std::string write_json(const JsonValue& value);
/// The same on one line, without a newline.
std::string write_json_line(const JsonValue& value);
/// Block YAML, which parse_yaml reads back to the same; figures ({value, source}) and items of lists on one
/// line.
std::string write_yaml(const JsonValue& value);

/// The shortest decimal that reads back to `number`.
std::string shortest_number(double number);

}  // namespace portolan
