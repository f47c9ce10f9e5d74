#include "plan/job_cluster.h"

#include <fmt/format.h>

#include <algorithm>

namespace portolan {

namespace {

Result<void> check_none_failed(const NodeList& nodes, const Cluster& machine, const char* key) {
  const auto failed =
      std::find_if(nodes.begin(), nodes.end(), [&](std::int32_t node) { return !machine.is_usable(node); });
  return failed == nodes.end()
             ? Result<void>()
             : bad_input(fmt::format("{}: node {} of {} has failed (allowed: nodes without a failed-node)",
                                     key, *failed, machine.hardware().name));
}

}  // namespace

std::int64_t nodes_filled(std::int64_t num_ranks, const Hardware& hardware) {
  return (num_ranks + hardware.gpus_per_node - 1) / hardware.gpus_per_node;
}

Result<NodeList> nodes_of_job(const Scenario& scenario) {
  PORTOLAN_TRY(const Cluster machine, Cluster::build(scenario.hardware));
  if (!scenario.job_nodes.empty()) {
    PORTOLAN_CHECK_OK(check_none_failed(scenario.job_nodes, machine, "job_nodes"));
    if (const std::int64_t there = std::ssize(scenario.job_nodes) * scenario.hardware.gpus_per_node;
        scenario.num_gpus > there) {
      return bad_input(fmt::format("num_gpus: \"{}\" is more than the {} job_nodes have (allowed: 1 to {})",
                                   scenario.num_gpus, scenario.job_nodes.size(), there));
    }
    return scenario.job_nodes;
  }
  NodeList usable;
  for (std::int32_t node = 0; node < scenario.hardware.num_nodes; ++node) {
    if (machine.is_usable(node)) {
      usable.push_back(node);
    }
  }
  if (usable.empty()) {
    return bad_input(
        fmt::format("condition: all nodes of {} have failed (allowed: some do not)", scenario.hardware.name));
  }
  if (const std::int64_t needed = nodes_filled(scenario.num_gpus, scenario.hardware);
      std::ssize(usable) < needed) {
    return bad_input(fmt::format("num_gpus: {} GPUs need {} nodes of {}, of which {} have not failed",
                                 scenario.num_gpus, needed, scenario.hardware.name, usable.size()));
  }
  return usable;
}

Result<Cluster> job_cluster(const Scenario& scenario) {
  PORTOLAN_TRY(NodeList nodes, nodes_of_job(scenario));
  return Cluster::build(scenario.hardware, std::move(nodes));
}

Result<Cluster> job_cluster(const Scenario& scenario, const Strategy& strategy) {
  if (strategy.node_order.empty()) {
    return job_cluster(scenario);
  }
  PORTOLAN_TRY(const Cluster machine, Cluster::build(scenario.hardware));
  PORTOLAN_CHECK_OK(check_none_failed(strategy.node_order, machine, "node_order"));
  return Cluster::build(scenario.hardware, strategy.node_order);
}

}  // namespace portolan
