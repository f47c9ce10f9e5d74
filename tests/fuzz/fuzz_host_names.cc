// Any bytes as names of hosts: one line of error that names the file, or as many names as were asked for.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "catalog/launch/host_names.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::int64_t kNodes = 2;
  const auto names = portolan::read_host_names({reinterpret_cast<const char*>(data), size}, "hosts", kNodes);
  bool sound = false;
  if (names) {
    sound = std::ssize(*names) == kNodes &&
            std::all_of(names->begin(), names->end(), [](const std::string& name) {
              return name.find_first_of(" \t\r\n$`'\"\\;&|<>()#") == std::string::npos && !name.empty();
            });
  } else {
    const std::string_view message = names.error().message;
    sound = message.starts_with("hosts:") && message.find('\n') == std::string_view::npos;
  }
  if (!sound) {
    std::abort();
  }
  return 0;
}
