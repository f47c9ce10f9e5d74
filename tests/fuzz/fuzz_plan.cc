// Any bytes as a plan file. What is refused gives one line that begins with the file; what is accepted
// survives writing and reading.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "catalog/plan_json.h"

namespace {

void require(bool is_sound) {
  if (!is_sound) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto plan = portolan::read_plan({reinterpret_cast<const char*>(data), size}, "fuzz.json");
  if (!plan) {
    require(plan.error().message.starts_with("fuzz.json"));
    require(plan.error().message.find('\n') == std::string::npos);
    return 0;
  }
  const auto again = portolan::read_plan(portolan::write_plan(*plan), "again.json");
  require(again.has_value() && *again == *plan);
  return 0;
}
