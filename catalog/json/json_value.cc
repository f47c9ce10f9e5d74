#include "catalog/json/json_value.h"

#include <fmt/format.h>

#include <cassert>
#include <cmath>

namespace portolan {

namespace {

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

struct ScalarText {
  std::string operator()(std::monostate /*null*/) const { return "null"; }
  std::string operator()(bool flag) const { return flag ? "true" : "false"; }
  std::string operator()(std::int64_t number) const { return fmt::format("{}", number); }
  std::string operator()(std::uint64_t number) const { return fmt::format("{}", number); }
  std::string operator()(double number) const {
    return std::isfinite(number) ? shortest_number(number) : "null";
  }
  std::string operator()(const std::string& text) const { return json_string(text); }
  std::string operator()(const JsonValue::Array& /*array*/) const { return ""; }
  std::string operator()(const JsonValue::Object& /*object*/) const { return ""; }
};

void append_line(const JsonValue& value, std::string& out) {
  const char* separator = "";
  if (const JsonValue::Array* array = value.as_array()) {
    out += '[';
    for (const JsonValue& item : *array) {
      out += separator;
      append_line(item, out);
      separator = ", ";
    }
    out += ']';
  } else if (const JsonValue::Object* object = value.as_object()) {
    out += '{';
    for (const auto& [key, item] : *object) {
      out += separator + json_string(key) + ": ";
      append_line(item, out);
      separator = ", ";
    }
    out += '}';
  } else {
    out += std::visit(ScalarText(), value.content());
  }
}

bool is_container(const JsonValue& value) {
  return value.as_array() != nullptr || value.as_object() != nullptr;
}

bool holds_no_container(const JsonValue& value) {
  if (const JsonValue::Array* array = value.as_array()) {
    for (const JsonValue& item : *array) {
      if (is_container(item)) {
        return false;
      }
    }
  }
  if (const JsonValue::Object* object = value.as_object()) {
    for (const auto& [key, item] : *object) {
      if (is_container(item)) {
        return false;
      }
    }
  }
  return true;
}

/// Scalars, lists of scalars, and objects of scalars or of lists of scalars (a kernel, a buffer).
bool fits_one_line(const JsonValue& value) {
  constexpr std::size_t kMostFields = 20;
  const JsonValue::Object* object = value.as_object();
  if (object == nullptr) {
    return holds_no_container(value);
  }
  bool fits = object->size() <= kMostFields;
  for (const auto& [key, item] : *object) {
    fits = fits && item.as_object() == nullptr && holds_no_container(item);
  }
  return fits;
}

void append_indented(const JsonValue& value, std::size_t indent, std::string& out) {
  if (fits_one_line(value)) {
    append_line(value, out);
    return;
  }
  const char* separator = "\n";
  if (const JsonValue::Array* array = value.as_array()) {
    out += '[';
    for (const JsonValue& item : *array) {
      out += separator + std::string(indent + 1, ' ');
      append_indented(item, indent + 1, out);
      separator = ",\n";
    }
    out += '\n' + std::string(indent, ' ') + ']';
    return;
  }
  out += '{';
  for (const auto& [key, item] : *value.as_object()) {
    out += separator + std::string(indent + 1, ' ') + json_string(key) + ": ";
    append_indented(item, indent + 1, out);
    separator = ",\n";
  }
  out += '\n' + std::string(indent, ' ') + '}';
}

}  // namespace

JsonValue& JsonValue::set(std::string_view key, JsonValue value) {
  auto* object = std::get_if<Object>(&content_);
  assert(object != nullptr);
  object->emplace_back(std::string(key), std::move(value));
  return *this;
}

JsonValue& JsonValue::append(JsonValue value) {
  auto* array = std::get_if<Array>(&content_);
  assert(array != nullptr);
  array->push_back(std::move(value));
  return *this;
}

std::string shortest_number(double number) {
  // JSON readers take "-0" for a whole number, which has no sign.
  return number == 0 && std::signbit(number) ? "-0.0" : fmt::format("{}", number);
}

std::string write_json(const JsonValue& value) {
  std::string out;
  append_indented(value, 0, out);
  return out + "\n";
}

std::string write_json_line(const JsonValue& value) {
  std::string out;
  append_line(value, out);
  return out;
}

}  // namespace portolan
