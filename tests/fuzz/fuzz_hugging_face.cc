// Any bytes as a Hugging Face config.json: one line of error that begins with the file, or a model that can
// be.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "catalog/hugging_face.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto config =
      portolan::read_hugging_face_text({reinterpret_cast<const char*>(data), size}, "fuzz/config.json");
  const bool sound = config ? !portolan::find_problem(*config) && portolan::num_parameters(*config) > 0
                            : config.error().message.starts_with("fuzz/config.json") &&
                                  config.error().message.find('\n') == std::string::npos;
  if (!sound) {
    std::abort();
  }
  return 0;
}
