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
  group.for_each_of_ring([&](std::size_t node, std::size_t next, bool tells, bool hands_on) {
    if (tells) {
      add_ring(group, node, within_bytes, set.flows);
    }
    for (std::size_t r = 0; next != node && hands_on && r < group.num_rails(); ++r) {
      set.flows.push_back({group.node(node)[r], group.node(next)[r], between_bytes});
    }
  });
  const Hardware& hardware = cluster.hardware();
  set.latency =
      (hardware.intra_node_step.value * (rails - 1) + hardware.inter_node_step.value * (nodes - 1)) * rounds;
  return set;
}

}  // namespace portolan
