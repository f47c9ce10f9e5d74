#include "catalog/launch/launch_script.h"

#include <fmt/format.h>

namespace portolan {

std::string script_head(const Plan& plan, std::string_view how) {
  return fmt::format(
      "#!/bin/bash\n# {}\n# {}\n# hostfile: the nodes, first rank first; ranks.csv: where the plan has each "
      "rank.\n"
      "set -euo pipefail\n\n",
      launch_title(plan), how);
}

std::string nccl_environment(const Strategy& strategy) {
  const bool trees = strategy.gradient_aggregation.algorithm == CollectiveAlgorithm::kTree;
  return std::string("# NCCL_IB_HCA and NCCL_SOCKET_IFNAME are the cluster's own.\n") +
         (trees ? "export NCCL_ALGO=Tree\n" : "");
}

std::string node_variables(const Plan& plan) {
  const RanksOnNodes ranks = ranks_on_nodes(plan);
  std::string text = fmt::format("\nGPUS_PER_NODE={}\nNNODES={}\n", ranks.ranks_per_node, ranks.nodes);
  text += ranks.nodes > 1
              ? "NODE_RANK=${NODE_RANK:?0 on the first node of the hostfile, 1 on the second ...}\n"
                "MASTER_ADDR=${MASTER_ADDR:?the first node of the hostfile}\n"
              : "NODE_RANK=0\nMASTER_ADDR=localhost\n";
  return text +
         "MASTER_PORT=${MASTER_PORT:-6000}\n\n"
         "DISTRIBUTED_ARGS=(\n"
         "  --nproc_per_node \"$GPUS_PER_NODE\"\n"
         "  --nnodes \"$NNODES\"\n"
         "  --node_rank \"$NODE_RANK\"\n"
         "  --master_addr \"$MASTER_ADDR\"\n"
         "  --master_port \"$MASTER_PORT\"\n"
         ")\n";
}

void list_uneven_nodes(const Plan& plan, LaunchFields& fields) {
  const RanksOnNodes ranks = ranks_on_nodes(plan);
  const std::int64_t all = plan.strategy.num_ranks();
  if (ranks.nodes * ranks.ranks_per_node != all) {
    fields.cannot_say("num_gpus", fmt::format("{}", all),
                      fmt::format("launchers start the same number of ranks on each node; written: {} x {}",
                                  ranks.nodes, ranks.ranks_per_node));
  }
}

}  // namespace portolan
