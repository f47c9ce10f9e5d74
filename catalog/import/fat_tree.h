#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "catalog/import/fabric_hosts.h"
#include "catalog/import/infiniband_fabric.h"

namespace portolan {

/// The shape of a fabric of one or two tiers, as topology/hardware.h describes one.
struct FatTree {
  std::int64_t num_nodes = 0;
  std::int64_t cards_per_node = 0;
  BytesPerSecond card_rate;
  std::string card_rate_word;  ///< "4xHDR"
  std::int64_t num_pods = 0;
  std::int64_t nodes_per_pod = 0;
  std::int64_t leaves_per_pod = 0;  ///< switches as built; Hardware has one for each card of a node
  std::int64_t spines = 0;
  std::int64_t links_per_trunk = 0;  ///< parallel links between a leaf and a spine switch, as built
  BytesPerSecond trunk_rate;         ///< of one of them
  std::string trunk_rate_word;
  std::vector<std::string> assumed;  ///< what was left out or taken for equal, one line each

  /// Cards of a node on one leaf switch.
  std::int64_t cards_per_leaf() const { return cards_per_node / leaves_per_pod; }
};

/// Hosts are the first word of an adapter's description ("node1 mlx5_0"), leaf switches those with a compute
/// node's card, pods the nodes below the same leaf switches, spines what leaf switches are joined by. Errors:
/// an adapter that names no host, no host, a node that the fabric does not know (kBadInput); what Hardware
/// cannot describe, with the numbers (kInfeasible): nodes of different numbers of cards, card k of two nodes
/// of a pod on different switches, uneven pods, pods that nothing joins, a third tier, leaf and spine
/// switches joined by different numbers of links, rates of which less than nine in ten are equal.
Result<FatTree> find_fat_tree(const InfinibandFabric& fabric, const ComputeAdapters& compute);

}  // namespace portolan
