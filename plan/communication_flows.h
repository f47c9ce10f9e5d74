#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "plan/costed_program.h"
#include "plan/graph_builder.h"
#include "plan/group_flows.h"
#include "plan/op_flows.h"
#include "plan/program.h"
#include "plan/shared_links.h"
#include "topology/cluster.h"

namespace portolan {

/// Turns communication ops into transfers over the cluster's links.
class CommunicationFlows {
 public:
  /// All must outlive it.
  CommunicationFlows(const CostedProgram& program, const Cluster& cluster, GraphBuilder& builder)
      : program_(program), flows_(program.flows->groups()), cluster_(cluster), builder_(builder) {}

  /// Adds each flow of `set` as a transfer between `begin` and `end`.
  void add_transfers(const FlowSet& set, std::int32_t begin, std::int32_t end);

  /// Adds `transfers` between `begin` and `end`.
  void add_together(const std::vector<Activity>& transfers, std::int32_t begin, std::int32_t end);

  /// What stands for all groups of `op`, an op of the Program: of the flows within a node, and of those
  /// between nodes with paths of one length, the slowest, and the first group's own among equals. It takes
  /// as long as all of them together, and meets others on every link on which they do.
  const std::vector<Activity>& representatives(const Op& op, std::int32_t stage);

  /// What stands for the groups of `op` of all rails around `rank`, which differ along the tensor axis only:
  /// the flows of its own rail, over links divided as all of them divide them.
  const std::vector<Activity>& rail_transfers(const Op& op, std::int32_t rank);

 private:
  /// That part of the link's bandwidth.
  SharedLink part_of(LinkIndex link, double part) const;
  std::int32_t real_path(const Route& route);
  std::int32_t divided_link(LinkIndex index, double alike);
  std::vector<std::int32_t> representative_path(const OpFlows::Kind& kind);
  std::vector<Activity> representatives_of(const Op& op, std::int32_t stage);
  std::vector<Activity> rail_transfers_of(const Op& op, std::int32_t rank);

  const CostedProgram& program_;
  const GroupFlows& flows_;
  const Cluster& cluster_;
  GraphBuilder& builder_;
  std::optional<SharedLinks> shared_;  ///< made when asked for representatives
  // The same for each microbatch.
  std::map<const Op*, std::vector<Activity>> representatives_;
  std::map<std::pair<const Op*, std::int32_t>, std::vector<Activity>> rail_transfers_;
};

}  // namespace portolan
