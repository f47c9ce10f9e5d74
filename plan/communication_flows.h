#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "plan/graph_builder.h"
#include "plan/group_flows.h"
#include "plan/program.h"
#include "topology/cluster.h"

namespace portolan {

/// Turns communication ops into transfers over the cluster's links.
class CommunicationFlows {
 public:
  CommunicationFlows(const GroupFlows& flows, const Cluster& cluster, GraphBuilder& builder)
      : flows_(flows), cluster_(cluster), builder_(builder) {}

  /// Adds each flow of `set` as a transfer between `begin` and `end`.
  void add_transfers(const FlowSet& set, std::int32_t begin, std::int32_t end);

  /// Adds between `begin` and `end` what stands for all groups of `op`, an op of the Program: of the flows
  /// within a node, and of those between nodes with paths of one length, the slowest, and the first group's
  /// own among equals.
  void add_representatives(const Op& op, std::int32_t stage, std::int32_t begin, std::int32_t end);

 private:
  std::int32_t real_path(const Route& route);
  std::vector<Activity> representatives_of(const Op& op, std::int32_t stage);

  const GroupFlows& flows_;
  const Cluster& cluster_;
  GraphBuilder& builder_;
  std::map<const Op*, std::vector<Activity>> representatives_;  ///< the same for each microbatch
};

}  // namespace portolan
