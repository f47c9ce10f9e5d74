#pragma once

#include <vector>

#include "base/quantity.h"
#include "plan/communication_prices.h"
#include "plan/scenario.h"
#include "plan/strategy.h"

namespace portolan {

/// Collectives of one group, of whole vectors.
struct GroupCosts {
  CommunicationLine all_reduce;
  CommunicationLine reduce_scatter;
  CommunicationLine all_gather;
  // With compressed gradients that do not add up hop by hop.
  CommunicationLine all_to_all;
  CommunicationLine sum_gather;  ///< of sums of gradients, by their algorithm
};

/// Ranks of a group on one node, and those of one place on all nodes.
struct NodeHops {
  GroupCosts within;
  GroupCosts across;
};

/// What the closed form needs of the machine for one way of placing ranks on it: all groups of a stage
/// communicate together, nothing else does.
struct MachineCosts {
  std::vector<Seconds> sends;            ///< by boundary
  Seconds wrap_send;                     ///< from the last stage to the first, with several chunks a stage
  GroupCosts data;                       ///< ranks that hold the same parameters
  GroupCosts expert_data;                ///< ranks that hold the same experts
  GroupCosts sharers;                    ///< those of them that share what ZeRO divides
  GroupCosts strides;                    ///< those of them with the same shards
  NodeHops data_hops, expert_data_hops;  ///< with sums of compressed gradients that go by nodes
  CommunicationLine ends;                ///< all-reduce between first and last stage
  CommunicationLine tensor;              ///< all-reduce over the tensor-parallel group
  CommunicationLine copy;                ///< between device and host, one way; 0 without figures of PCIe
  Seconds gather;                        ///< of a received shard over the tensor-parallel group
};

/// Precondition: no rejection by find_rejection.
MachineCosts machine_costs(const Scenario& scenario, const Strategy& strategy, CommunicationPrices& prices);

}  // namespace portolan
