// Any bytes as what ibnetdiscover prints: one line of error that begins with the file, or a fabric that an
// import takes or refuses in one line.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "catalog/import/cluster_import.h"

namespace {

bool is_line(const portolan::Error& error) {
  return error.message.starts_with("fuzz.txt") && error.message.find('\n') == std::string::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  portolan::ClusterReports reports;
  auto fabric = portolan::read_ibnetdiscover({reinterpret_cast<const char*>(data), size}, "fuzz.txt");
  if (!fabric) {
    if (!is_line(fabric.error())) {
      std::abort();
    }
    return 0;
  }
  reports.infiniband = *std::move(fabric);
  const auto hardware = portolan::import_cluster(reports, "fuzz");
  if (hardware ? hardware->num_nodes.value.value_or(0) < 1 || write_imported(*hardware).empty()
               : !is_line(hardware.error())) {
    std::abort();
  }
  return 0;
}
