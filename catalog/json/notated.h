#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "catalog/document/section.h"
#include "catalog/json/json_value.h"

namespace portolan {

/// A value as files of `notation` hold it: "80 GiB" or 85899345920.
JsonValue notated(Bytes size, Notation notation);
JsonValue notated(Seconds time, Notation notation);
JsonValue notated(BytesPerSecond rate, Notation notation);
JsonValue notated(FlopsPerSecond rate, Notation notation);
JsonValue notated(Watts power, Notation notation);
template <typename T>
requires std::is_enum_v<T> JsonValue notated(T value, Notation /*notation*/) { return word_of(value); }
template <typename T>
requires(std::is_arithmetic_v<T> || std::is_convertible_v<T, std::string>) JsonValue
    notated(const T& value, Notation /*notation*/) {
  return JsonValue(value);
}
template <typename T>
JsonValue notated(const Sourced<T>& sourced, Notation notation) {
  JsonValue object = JsonValue::object();
  object.set("value", notated(sourced.value, notation));
  object.set("source", sourced.source);
  if (sourced.unvalidated) {
    object.set("unvalidated", true);
  }
  return object;
}

/// A list, each item of which `write` writes.
template <typename T>
JsonValue write_list(const std::vector<T>& list, JsonValue (*write)(const T&, Notation), Notation notation) {
  JsonValue array = JsonValue::array();
  for (const T& item : list) {
    array.append(write(item, notation));
  }
  return array;
}

/// An object whose keys and values follow `notation`: the inverse of DocumentSection.
class NotatedObject {
 public:
  explicit NotatedObject(Notation notation) : notation_(notation) {}

  template <typename T>
  NotatedObject& set(std::string_view key, const T& value) {
    object_.set(std::string(key) + std::string(notation_ == Notation::kNumbers ? KeySuffix<T>::value : ""),
                notated(value, notation_));
    return *this;
  }
  NotatedObject& set_json(std::string_view key, JsonValue value) {
    object_.set(key, std::move(value));
    return *this;
  }
  JsonValue take() { return std::move(object_); }

 private:
  Notation notation_;
  JsonValue object_ = JsonValue::object();
};

}  // namespace portolan
