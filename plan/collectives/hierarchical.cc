#include <cassert>

#include "plan/collectives/algorithms.h"
#include "plan/collectives/chains.h"

namespace portolan {

FlowSet hierarchical_flows(const Cluster& cluster, const NodeGroup& group, CollectiveKind kind,
                           Bytes payload) {
  assert(group.is_even());
  const double rounds = kind == CollectiveKind::kAllReduce ? 2 : 1;
  const auto nodes = static_cast<double>(group.num_nodes());
  const auto rails = static_cast<double>(group.num_rails());
  const auto bytes = static_cast<double>(payload.value);
  const double within_bytes = rounds * (rails - 1) / rails * bytes;
  const double between_bytes = rounds * (nodes - 1) / nodes * bytes / rails;
  FlowSet set;
  set.flows.reserve(2 * group.num_members());
  for (std::size_t node = 0; node < group.num_nodes(); ++node) {
    add_ring(group, node, within_bytes, set.flows);
    const std::size_t next = (node + 1) % group.num_nodes();
    for (std::size_t r = 0; next != node && r < group.num_rails(); ++r) {
      set.flows.push_back({group.node(node)[r], group.node(next)[r], between_bytes});
    }
  }
  const Hardware& hardware = cluster.hardware();
  set.latency =
      (hardware.intra_node_step.value * (rails - 1) + hardware.inter_node_step.value * (nodes - 1)) * rounds;
  return set;
}

}  // namespace portolan
