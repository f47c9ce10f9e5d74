#include "exec/calibration/machine_name.h"

#include <fmt/format.h>

#include <fstream>
#include <string_view>

#include "kernels/host/blas.h"
#include "kernels/host/instruction_set.h"

namespace portolan {

namespace {

std::string processor_name() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown processor";
}

std::string_view vectors() {
  switch (host::instruction_set()) {
    case host::InstructionSet::kAvx512:
      return "AVX-512";
    case host::InstructionSet::kAvx2:
      return "AVX2";
    case host::InstructionSet::kBaseline:
      break;
  }
  return "baseline vectors";
}

}  // namespace

std::string machine_name(int num_cores) {
  return fmt::format("{}, {} core{}, OpenBLAS {}, {}", processor_name(), num_cores, num_cores == 1 ? "" : "s",
                     host::blas_core_name(), vectors());
}

}  // namespace portolan
