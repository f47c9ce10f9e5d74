// Any bytes as what nvidia-smi topo -m prints: one line of error that begins with the file, or a node whose
// report is sound.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "catalog/import/node_report.h"
#include "catalog/import/nvidia_smi_topology.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto topology =
      portolan::read_nvidia_smi_topology({reinterpret_cast<const char*>(data), size}, "fuzz.txt");
  const auto is_line = [](const portolan::Error& error) {
    return error.message.starts_with("fuzz.txt") && error.message.find('\n') == std::string::npos;
  };
  if (!topology) {
    if (!is_line(topology.error())) {
      std::abort();
    }
    return 0;
  }
  const auto report = report_of(*topology);
  const bool is_square = topology->cells.size() == topology->num_devices() * topology->num_devices();
  if (!is_square || (report ? report->num_gpus < 1 : !is_line(report.error()))) {
    std::abort();
  }
  return 0;
}
