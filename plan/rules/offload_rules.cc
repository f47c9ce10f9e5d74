#include <fmt/format.h>

#include "plan/rules/rules.h"

namespace portolan {

Found find_offload_problem(const Scenario& scenario, const Strategy& s) {
  if (offloads_activations(s.offload) && s.recompute.layers_per_group > 1) {
    return not_available(fmt::format("offload {} with recompute uniform:{}", offload_name(s.offload),
                                     s.recompute.layers_per_group),
                         "uniform:1, or offload of none or the optimizer");
  }
  if (offloads_activations(s.offload) && s.recompute.optimal) {
    return not_available(fmt::format("offload {} with recompute optimal", offload_name(s.offload)),
                         "none, selective, full, block:N, or offload of none or the optimizer");
  }
  if (s.offload != Offload::kNone && !scenario.hardware.pcie) {
    return reject(RejectReason::kNotAvailable,
                  fmt::format("offload {} needs the figures of PCIe (hardware {} has none)",
                              offload_name(s.offload), scenario.hardware.name));
  }
  return std::nullopt;
}

}  // namespace portolan
