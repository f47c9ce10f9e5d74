#include "kernels/host/instruction_set.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace portolan::host {
namespace {

InstructionSet widest_of_processor() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx2) {
    return avx512 ? InstructionSet::kAvx512 : InstructionSet::kAvx2;
  }
#endif
  return InstructionSet::kBaseline;
}

InstructionSet asked_for() {
  const char* const text = std::getenv("PORTOLAN_INSTRUCTION_SET");
  const std::string_view name = text != nullptr ? text : "";
  if (name == "baseline") {
    return InstructionSet::kBaseline;
  }
  return name == "avx2" ? InstructionSet::kAvx2 : InstructionSet::kAvx512;
}

}  // namespace

InstructionSet instruction_set() {
  static const InstructionSet chosen = std::min(widest_of_processor(), asked_for());
  return chosen;
}

}  // namespace portolan::host
