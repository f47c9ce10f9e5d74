#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/quantity.h"
#include "catalog/document/node.h"
#include "catalog/document/value.h"
#include "catalog/words.h"
#include "topology/hardware.h"

namespace portolan {

template <typename T>
struct SourcedValue {
  using type = T;
};
template <typename T>
struct SourcedValue<Sourced<T>> {
  using type = T;
};

/// What a value of type T may be, for "(allowed: ...)": "a whole number from 1 to 8", "true, false".
template <typename T>
std::string describe(Notation notation) {
  using Value = typename SourcedValue<T>::type;
  const auto quantity = [&](std::string_view example) {
    return notation == Notation::kNumbers ? std::string("a number") : std::string(example);
  };
  if constexpr (std::is_same_v<Value, bool>) {
    return "true, false";
  } else if constexpr (std::is_enum_v<Value>) {
    return list_words(words<Value>());
  } else if constexpr (std::is_same_v<Value, std::string>) {
    return "a text";
  } else if constexpr (std::is_integral_v<Value>) {
    return "a whole number";
  } else if constexpr (std::is_same_v<Value, Bytes>) {
    return quantity("a size such as 80 GiB");
  } else if constexpr (std::is_same_v<Value, Seconds>) {
    return quantity("a time such as 2 us");
  } else if constexpr (std::is_same_v<Value, BytesPerSecond>) {
    return quantity("a rate such as 200 Gb/s");
  } else if constexpr (std::is_same_v<Value, FlopsPerSecond>) {
    return quantity("a rate such as 312 TFLOP/s");
  } else if constexpr (std::is_same_v<Value, Watts>) {
    return quantity("a power such as 400 W");
  } else {
    return "a number";
  }
}

template <typename T>
std::string describe(Notation /*notation*/, WholeRange range) {
  return "a whole number from " + std::to_string(range.least) + " to " + std::to_string(range.most);
}

template <typename T, typename... Rules>
std::string describe(Notation notation, const Rules&... /*rules*/) {
  return describe<T>(notation);
}

}  // namespace portolan
