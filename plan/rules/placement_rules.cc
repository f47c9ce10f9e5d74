#include <fmt/format.h>

#include <algorithm>

#include "plan/job_cluster.h"
#include "plan/rules/rules.h"

namespace portolan {

Found find_placement_problem(const Scenario& scenario, const Strategy& s) {
  if (s.node_order.empty()) {
    return std::nullopt;
  }
  if (const std::string problem = find_node_problem(s.node_order, scenario.hardware.num_nodes);
      !problem.empty()) {
    return reject(RejectReason::kDegrees, fmt::format("node_order: {}", problem));
  }
  if (const std::int64_t needed = nodes_filled(s.num_ranks(), scenario.hardware);
      std::ssize(s.node_order) != needed) {
    return reject(RejectReason::kDegrees,
                  fmt::format("node_order: {} nodes (allowed: the {} that {} ranks fill)",
                              s.node_order.size(), needed, s.num_ranks()));
  }
  if (scenario.job_nodes.empty()) {
    return std::nullopt;
  }
  NodeList of_job = scenario.job_nodes;
  std::sort(of_job.begin(), of_job.end());
  const auto foreign = std::find_if(s.node_order.begin(), s.node_order.end(), [&](std::int32_t node) {
    return !std::binary_search(of_job.begin(), of_job.end(), node);
  });
  if (foreign != s.node_order.end()) {
    return reject(RejectReason::kDegrees, fmt::format("node_order: node {} is none of job_nodes ({})",
                                                      *foreign, format_node_list(scenario.job_nodes)));
  }
  return std::nullopt;
}

}  // namespace portolan
