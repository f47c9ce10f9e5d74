#pragma once

#include <vector>

#include "base/quantity.h"
#include "plan/scenario.h"
#include "plan/strategy.h"
#include "topology/cluster.h"

namespace portolan {

/// A collective's time as a line over its payload.
struct CollectiveLine {
  double seconds_per_byte = 0;
  Seconds latency;

  Seconds of(Bytes bytes) const {
    return bytes.value == 0 ? Seconds(0)
                            : Seconds(seconds_per_byte * static_cast<double>(bytes.value)) + latency;
  }
};

/// Collectives of one group, of whole vectors.
struct GroupCosts {
  CollectiveLine all_reduce;
  CollectiveLine reduce_scatter;
  CollectiveLine all_gather;
};

/// What the closed form needs of the machine for one way of placing ranks on it: all groups of a stage
/// communicate together, nothing else does.
struct MachineCosts {
  std::vector<Seconds> sends;  ///< by boundary
  Seconds wrap_send;           ///< from the last stage to the first, with several chunks a stage
  GroupCosts data;             ///< ranks that hold the same parameters
  GroupCosts expert_data;      ///< ranks that hold the same experts
  GroupCosts sharers;          ///< those of them that share what ZeRO divides
  GroupCosts strides;          ///< those of them with the same shards
  CollectiveLine ends;         ///< all-reduce between first and last stage
  CollectiveLine tensor;       ///< all-reduce over the tensor-parallel group
  Seconds gather;              ///< of a received shard over the tensor-parallel group
};

/// Precondition: no rejection by find_rejection.
MachineCosts machine_costs(const Scenario& scenario, const Strategy& strategy, const Cluster& cluster);

}  // namespace portolan
