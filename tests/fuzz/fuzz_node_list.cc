// Any bytes as a list of nodes: one line of error, or nodes that read back from what is written of them.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "topology/node_list.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto nodes = portolan::parse_node_list({reinterpret_cast<const char*>(data), size});
  bool sound = false;
  if (nodes) {
    const auto again = portolan::parse_node_list(portolan::format_node_list(*nodes));
    sound = again.has_value() && *again == *nodes;
  } else {
    const std::string_view message = nodes.error().message;
    sound = !message.empty() && message.find('\n') == std::string_view::npos;
  }
  if (!sound) {
    std::abort();
  }
  return 0;
}
