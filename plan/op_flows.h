#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "plan/group_flows.h"
#include "plan/program.h"
#include "topology/cluster.h"

namespace portolan {

/// What all groups of a stage that do one communication op send, at the same time.
struct OpFlows {
  struct LinkBytes {
    LinkIndex link = 0;
    double bytes = 0;
  };
  /// Flows within a node, or between nodes, with paths of one length.
  struct Kind {
    Flow slowest;  ///< stands for all; the first group's own among equals
    Seconds latency;
    LinkList route;                ///< of the slowest
    LinkBytes busiest;             ///< the link of `route` that takes longest for the bytes of all kinds
    double own_on_busiest = 0;     ///< bytes of this kind over it
    std::vector<LinkBytes> loads;  ///< of all flows of this kind, each link once that `rails` say tells
    ToldRails rails;
  };
  std::vector<Kind> kinds;
  bool one_latency = true;  ///< all groups have
};

/// Calls `visit(link, bytes)` for each link that flows of the kind cross.
template <typename Visit>
void for_each_load(const OpFlows::Kind& kind, const Cluster& cluster, const Visit& visit) {
  for (const OpFlows::LinkBytes& load : kind.loads) {
    kind.rails.for_each_like(cluster, load.link, [&](LinkIndex link) { visit(link, load.bytes); });
  }
}

/// The flows of a Program's communication ops, found once for all ops that have the same. Not thread-safe.
class OpFlowsTable {
 public:
  /// `cluster` must outlive it and have a device for each rank.
  OpFlowsTable(const Placement& placement, const Cluster& cluster)
      : groups_(placement, cluster),
        cluster_(cluster),
        known_(static_cast<std::size_t>(placement.degree(Axis::kPipeline))) {}

  /// A receive has those of its send. The result stays where it is.
  const OpFlows& of(const Op& op, std::int32_t stage);
  const GroupFlows& groups() const { return groups_; }

 private:
  struct Known {
    Op shape;
    OpFlows flows;
  };

  /// From those of another size, or of a stage that sits alike.
  std::optional<OpFlows> known_elsewhere(const Op& op, std::int32_t stage) const;

  GroupFlows groups_;
  const Cluster& cluster_;
  std::vector<std::deque<Known>> known_;  ///< by stage, a handful of shapes each
};

}  // namespace portolan
