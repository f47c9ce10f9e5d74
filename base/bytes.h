#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace portolan {

/// Values as bytes, for messages between processes of one program.
template <typename T>
void put_bytes(std::string& bytes, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(T));
}
/// Precondition: they begin with what put_bytes wrote of a T.
template <typename T>
T take_bytes(std::string_view& bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value{};
  std::memcpy(&value, bytes.data(), sizeof(T));
  bytes.remove_prefix(sizeof(T));
  return value;
}

}  // namespace portolan
