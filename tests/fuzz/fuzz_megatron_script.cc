// Any bytes as a launch script of Megatron-LM: one line of error that names the file, or settings whose own
// flags read back to them.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "catalog/launch/megatron_arguments.h"

namespace {

bool is_one_line(const std::string& message) {
  return message.starts_with("fuzz.sh") && message.find('\n') == std::string::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto arguments =
      portolan::read_megatron_arguments({reinterpret_cast<const char*>(data), size}, "fuzz.sh");
  if (!arguments) {
    if (!is_one_line(arguments.error().message)) {
      std::abort();
    }
    return 0;
  }
  for (const auto& [flag, given] : arguments->given) {
    if (given.line < 0 || portolan::find_megatron_flag(flag) == nullptr) {
      std::abort();
    }
  }
  for (const portolan::UnreadFlag& flag : arguments->unread) {
    if (flag.flag.find('\n') != std::string::npos || flag.why.find('\n') != std::string::npos) {
      std::abort();
    }
  }
  // Words that a shell would not leave alone are quoted by the writer only as far as it writes any itself.
  portolan::MegatronSettings numbers = arguments->settings;
  for (const portolan::MegatronFlag& flag : portolan::megatron_flags()) {
    using S = portolan::MegatronSettings;
    if (const auto* text = std::get_if<S::Text S::*>(&flag.field)) {
      (numbers.*(*text)).reset();
    } else if (const auto* texts = std::get_if<S::Texts S::*>(&flag.field)) {
      (numbers.*(*texts)).clear();
    }
  }
  std::string script = "pretrain_gpt.py";
  for (const std::string& line : portolan::written_flags(numbers)) {
    script += " " + line;
  }
  const auto again = portolan::read_megatron_arguments(script, "again.sh");
  const bool is_empty = numbers == portolan::MegatronSettings{};
  if (!is_empty && (!again || again->settings != numbers)) {
    std::abort();
  }
  return 0;
}
