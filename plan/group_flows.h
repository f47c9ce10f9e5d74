#pragma once

#include <cstdint>
#include <vector>

#include "plan/collectives/collective_flows.h"
#include "plan/program.h"
#include "topology/cluster.h"
#include "topology/placement.h"

namespace portolan {

/// Whether two communication ops have the same flows on the same stage, but for their sizes.
bool flow_alike(const Op& a, const Op& b);

/// Flows of communication ops, for the ranks as they are placed: rank r sits on device r.
class GroupFlows {
 public:
  /// `cluster` must outlive it and have a device for each rank.
  GroupFlows(const Placement& placement, const Cluster& cluster) : placement_(placement), cluster_(cluster) {}

  /// Of the one group that holds `rank`.
  FlowSet of_group(const Op& op, std::int32_t rank) const;
  /// One set for each group of ranks of `stage` that does `op`: all (replica, rail) pairs of a send, all
  /// rails of a data-parallel collective and so on.
  std::vector<FlowSet> all_groups(const Op& op, std::int32_t stage) const;
  /// Time of `op` when all groups of the stage do it together, and nothing else: by bandwidth, and latency.
  struct Time {
    Seconds transfer;
    Seconds latency;
  };
  Time time_together(const Op& op, std::int32_t stage) const;
  Seconds time_of(const Op& op, std::int32_t stage) const {
    const Time time = time_together(op, stage);
    return time.transfer + time.latency;
  }
  /// Whether all ranks along the op's axes share a node, in each part of the stage: no payload crosses the
  /// network.
  bool stay_in_nodes(const Op& op, std::int32_t stage) const;

  const Placement& placement() const { return placement_; }

 private:
  /// The first rank of each group; of a send or receive every rank of the stage.
  std::vector<std::int32_t> leaders(const Op& op, std::int32_t stage) const;

  Placement placement_;
  const Cluster& cluster_;
};

}  // namespace portolan
