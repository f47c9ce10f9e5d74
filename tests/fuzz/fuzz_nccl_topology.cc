// Any bytes as NCCL's topology: one line of error that begins with the file, or a node whose report is sound.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "catalog/import/nccl_topology.h"
#include "catalog/import/node_report.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto topology = portolan::read_nccl_topology({reinterpret_cast<const char*>(data), size}, "fuzz.xml");
  const auto is_line = [](const portolan::Error& error) {
    return error.message.starts_with("fuzz.xml") && error.message.find('\n') == std::string::npos;
  };
  if (!topology) {
    if (!is_line(topology.error())) {
      std::abort();
    }
    return 0;
  }
  const auto report = report_of(*topology);
  if (report ? report->num_gpus < 1 : !is_line(report.error())) {
    std::abort();
  }
  return 0;
}
