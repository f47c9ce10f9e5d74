#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace portolan {

/// The enumerator whose place in `names` holds `name`.
template <typename Enum, std::size_t Size>
std::optional<Enum> find_name(const std::array<std::string_view, Size>& names, std::string_view name) {
  for (std::size_t i = 0; i < Size; ++i) {
    if (names[i] == name) {
      return static_cast<Enum>(i);
    }
  }
  return std::nullopt;
}

}  // namespace portolan
