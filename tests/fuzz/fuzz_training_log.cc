// Any bytes as a training log: one line of error, or steps with times, memory and timers.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

#include "catalog/measured/training_log.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::istringstream stream(std::string(reinterpret_cast<const char*>(data), size));
  const auto log = portolan::read_training_log(
      stream, "fuzz.log",
      {.size = {.global_batch = 64, .sequence_length = 1024, .num_gpus = 8}, .rank_without_prefix = 0});
  if (!log) {
    const std::string& message = log.error().message;
    if (!message.starts_with("fuzz.log") || message.find('\n') != std::string::npos) {
      std::abort();
    }
    return 0;
  }
  bool good = !log->steps.empty() && log->steps.front().is_first;
  for (const portolan::LoggedStep& step : log->steps) {
    good = good && step.time.value > 0 && step.time.value < 1e6 && step.step >= 0;
    for (const auto& [timer, time] : step.timers) {
      good = good && timer >= 0 && timer < static_cast<std::int32_t>(log->timers.size()) && time.value >= 0;
    }
  }
  for (const portolan::LoggedMemory& memory : log->memory) {
    good = good && memory.rank >= 0 && (memory.allocated || memory.reserved) &&
           memory.allocated.value_or(portolan::Bytes(0)).value >= 0;
  }
  if (!good) {
    std::abort();
  }
  return 0;
}
