// Any bytes as each kind of quantity: one line of error, or a value that its own text reads back to.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/parse_quantity.h"

namespace {

void require(bool is_sound) {
  if (!is_sound) {
    std::abort();
  }
}

template <typename Q>
void require_sound(std::string_view text, portolan::Result<Q> (*parse)(std::string_view),
                   std::string (*write)(Q)) {
  const portolan::Result<Q> parsed = parse(text);
  if (!parsed) {
    require(parsed.error().message.find('\n') == std::string::npos);
    return;
  }
  require(std::isfinite(static_cast<double>(parsed->value)));
  const portolan::Result<Q> again = parse(write(*parsed));
  require(again.has_value() && *again == *parsed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portolan;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  require_sound(text, &parse_bytes, &write_bytes);
  require_sound(text, &parse_seconds, &write_seconds);
  require_sound(text, &parse_bytes_per_second, &write_bytes_per_second);
  require_sound(text, &parse_flops_per_second, &write_flops_per_second);
  require_sound(text, &parse_watts, &write_watts);
  const Result<double> number = parse_number(text);
  require(!number || std::isfinite(*number));
  require(parse_integer(text).has_value() ||
          parse_integer(text).error().message.find('\n') == std::string::npos);
  return 0;
}
