// Any bytes as a topology.conf and as a hostlist: one line of error, or a forest that an import takes or
// refuses in one line.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "catalog/import/cluster_import.h"
#include "catalog/import/hostlist.h"

namespace {

bool is_line(const portolan::Error& error) { return error.message.find('\n') == std::string::npos; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto names = portolan::expand_hostlist(text, {.names = 10'000, .characters = 1'000'000});
  if (names ? names->empty() || names->size() > 10'000 : !is_line(names.error())) {
    std::abort();
  }
  portolan::ClusterReports reports;
  auto topology = portolan::read_slurm_topology(text, "fuzz.conf");
  if (!topology) {
    if (!topology.error().message.starts_with("fuzz.conf") || !is_line(topology.error())) {
      std::abort();
    }
    return 0;
  }
  reports.slurm = *std::move(topology);
  const auto hardware = portolan::import_cluster(reports, "fuzz");
  if (hardware ? hardware->num_nodes.value.value_or(0) < 1 : !is_line(hardware.error())) {
    std::abort();
  }
  return 0;
}
