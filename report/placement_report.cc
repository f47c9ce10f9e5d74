#include "report/placement_report.h"

#include <fmt/format.h>

#include "base/parse_quantity.h"

namespace portolan {

std::string placement_lines(const PlacedFinalists& placed) {
  const PlacedFinalist& best = placed.list.front();
  if (best.placed.strategy.node_order.empty()) {
    return "nodes: the job's own order; no other that was tried is faster\n";
  }
  const double before_s = best.by_default.step_time.value;
  const double after_s = best.placed.step_time.value;
  return fmt::format(
      "nodes: {:.2f}% less time than the {} of the job's own order ({}); the busiest\n"
      "  links carry {} of a step instead of {}\n"
      "node order: {}\n",
      100 * (1 - after_s / before_s), format_seconds(best.by_default.step_time),
      fidelity_name(placed.fidelity), format_seconds(best.placed_load.busiest),
      format_seconds(best.default_load.busiest), format_node_list(best.placed.strategy.node_order));
}

}  // namespace portolan
