// Any bytes as a scenario, a hardware file, a model, a software profile and a table of prediction errors.
// What is refused gives one line that begins with the file; what is accepted survives writing and reading.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "catalog/hardware_yaml.h"
#include "catalog/model_yaml.h"
#include "catalog/prediction_errors_yaml.h"
#include "catalog/scenario_yaml.h"
#include "catalog/software_yaml.h"

namespace {

constexpr std::string_view kFile = "/nowhere/fuzz.yaml";

void require(bool is_sound) {
  if (!is_sound) {
    std::abort();
  }
}

template <typename Value, typename Read, typename Write>
void require_sound(const portolan::Result<Value>& result, Read read, Write write) {
  if (!result) {
    require(result.error().message.starts_with(kFile));
    require(result.error().message.find('\n') == std::string::npos);
    return;
  }
  const portolan::Result<Value> again = read(write(*result));
  require(again.has_value() && *again == *result);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portolan;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto scenario = [](std::string_view t) { return read_scenario_text(t, kFile, {}); };
  const auto hardware = [](std::string_view t) { return read_hardware_text(t, kFile); };
  const auto model = [](std::string_view t) { return read_model_text(t, kFile); };
  const auto software = [](std::string_view t) { return read_software_text(t, kFile); };
  require_sound(scenario(text), scenario, write_scenario);
  require_sound(hardware(text), hardware, write_hardware);
  require_sound(model(text), model, write_model);
  const auto errors = [](std::string_view t) { return read_prediction_errors_text(t, kFile); };
  require_sound(software(text), software, write_software);
  require_sound(errors(text), errors, write_prediction_errors);
  return 0;
}
