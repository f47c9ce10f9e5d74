// Any bytes as a .jsonl file: documents, or one line of error, never a crash.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "exec/data/text_source.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  const auto documents = portolan::parse_json_lines(content, "fuzz.jsonl");
  const bool is_sound = documents ? !documents->empty()
                                  : documents.error().message.starts_with("fuzz.jsonl") &&
                                        documents.error().message.find('\n') == std::string::npos;
  if (!is_sound) {
    std::abort();
  }
  return 0;
}
