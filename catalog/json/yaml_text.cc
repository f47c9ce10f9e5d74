#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "catalog/json/json_value.h"

namespace portolan {

namespace {

bool is_plain(std::string_view text) {
  constexpr std::array<std::string_view, 4> kNulls = {"null", "Null", "NULL", "~"};
  const auto is_safe = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ' ' ||
           c == '.' || c == '_' || c == '/' || c == '+' || c == '-';
  };
  return !text.empty() && std::ranges::all_of(text, is_safe) &&
         std::isalnum(static_cast<unsigned char>(text[0])) != 0 && text.back() != ' ' &&
         std::ranges::find(kNulls, text) == kNulls.end();
}

std::string yaml_string(std::string_view text) {
  if (is_plain(text)) {
    return std::string(text);
  }
  std::string out = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string flow(const JsonValue& value) {
  std::string out;
  if (const JsonValue::Array* array = value.as_array()) {
    for (const JsonValue& item : *array) {
      out += (out.empty() ? "" : ", ") + flow(item);
    }
    return "[" + out + "]";
  }
  if (const JsonValue::Object* object = value.as_object()) {
    for (const auto& [key, item] : *object) {
      out += (out.empty() ? "" : ", ") + yaml_string(key) + ": " + flow(item);
    }
    return "{" + out + "}";
  }
  if (const auto* text = std::get_if<std::string>(&value.content())) {
    return yaml_string(*text);
  }
  return write_json_line(value);
}

bool is_figure(const JsonValue::Object& object) {
  return object.size() == 2 && object[0].first == "value" && object[1].first == "source";
}

void append_block(const JsonValue::Object& object, std::size_t indent, std::string& out) {
  for (const auto& [key, value] : object) {
    out += std::string(indent, ' ') + yaml_string(key) + ":";
    const JsonValue::Object* inner = value.as_object();
    const JsonValue::Array* list = value.as_array();
    if (inner != nullptr && !inner->empty() && !is_figure(*inner)) {
      out += "\n";
      append_block(*inner, indent + 2, out);
    } else if (list != nullptr && !list->empty() && list->front().as_object() != nullptr) {
      out += "\n";
      for (const JsonValue& item : *list) {
        out += std::string(indent + 2, ' ') + "- " + flow(item) + "\n";
      }
    } else {
      out += " " + flow(value) + "\n";
    }
  }
}

}  // namespace

std::string write_yaml(const JsonValue& value) {
  const JsonValue::Object* object = value.as_object();
  if (object == nullptr) {
    return flow(value) + "\n";
  }
  std::string out;
  append_block(*object, 0, out);
  return out;
}

}  // namespace portolan
