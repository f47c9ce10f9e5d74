// Any bytes as the output of nccl-tests: one line of error, or collectives with times.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

#include "catalog/measured/nccl_tests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::istringstream stream(std::string(reinterpret_cast<const char*>(data), size));
  const auto output = portolan::read_nccl_tests(stream, "fuzz.txt");
  if (!output) {
    const std::string& message = output.error().message;
    if (!message.starts_with("fuzz.txt:") || message.find('\n') != std::string::npos) {
      std::abort();
    }
    return 0;
  }
  bool good = !output->tests.empty() && output->num_malformed >= 0;
  for (const portolan::NcclTest& test : output->tests) {
    good = good && test.ranks.size() >= 2 && !test.rows.empty();
    for (const portolan::NcclTestRow& row : test.rows) {
      good = good && row.size.value > 0 && row.time.value > 0 && row.time.value < 1e6;
    }
  }
  if (!good) {
    std::abort();
  }
  return 0;
}
