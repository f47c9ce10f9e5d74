#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "plan/costed_program.h"
#include "plan/graph_builder.h"
#include "plan/program.h"
#include "topology/cluster.h"
#include "topology/placement.h"

namespace portolan {

/// Turns communication ops into transfers over the cluster's links.
class CommunicationFlows {
 public:
  CommunicationFlows(const Program& program, const Cluster& cluster, GraphBuilder& builder);

  /// Flow sets of `op` on `stage`, one for each group of ranks that does it: all (replica, rail) pairs of a
  /// send, all rails of a data-parallel collective and so on.
  std::vector<FlowSet> all_groups(const Op& op, std::int32_t stage) const;
  /// Of the one group that holds the rank at `place`.
  FlowSet group_of(const Op& op, const Coordinates& place) const;

  /// Adds each flow of `set` as a transfer between `begin` and `end`.
  void add_transfers(const FlowSet& set, std::int32_t begin, std::int32_t end);

  /// Adds between `begin` and `end` what stands for all groups of `op`, an op of the Program: of the flows
  /// within a node, and of those between nodes with paths of one length, the slowest, and the first group's
  /// own among equals.
  void add_representatives(const Op& op, std::int32_t stage, std::int32_t begin, std::int32_t end);

 private:
  std::int32_t real_path(const Route& route);
  std::vector<Activity> representatives_of(const Op& op, std::int32_t stage);

  const Cluster& cluster_;
  GraphBuilder& builder_;
  Placement placement_;
  std::map<const Op*, std::vector<Activity>> representatives_;  ///< the same for each microbatch
};

}  // namespace portolan
