#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "plan/collectives/link_loads.h"
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
    LinkList route;     ///< of the slowest
    LinkBytes busiest;  ///< the link of `route` that takes longest for the bytes of all kinds

    /// Of all flows of this kind over a link that tells of others (ToldGroups::told).
    double bytes_told(const Cluster& cluster, LinkIndex told) const;
    /// Calls `visit(link, bytes)` for each link that tells.
    template <typename Visit>
    void for_each_told(const Cluster& cluster, const Visit& visit) const;
    /// ... for each link that they cross.
    template <typename Visit>
    void for_each_load(const Cluster& cluster, const Visit& visit) const;

    /// Bytes over each link that tells, of flows that others may have in common with these: of a payload so
    /// many times as large, between devices so much further.
    std::shared_ptr<const LinkLoads> loads;
    double times = 1;
    DeviceIndex shift = 0;
    ToldGroups groups;
  };
  std::vector<Kind> kinds;
  /// Of all groups together, and nothing else.
  GroupFlows::Time time;
  bool one_latency = true;  ///< all groups have
};

template <typename Visit>
void OpFlows::Kind::for_each_told(const Cluster& cluster, const Visit& visit) const {
  loads->for_each([&](LinkIndex found, double bytes) {
    visit(shift == 0 ? found : *cluster.moved(found, shift), bytes * times);
  });
}

template <typename Visit>
void OpFlows::Kind::for_each_load(const Cluster& cluster, const Visit& visit) const {
  for_each_told(cluster, [&](LinkIndex told, double bytes) {
    groups.for_each_like(cluster, told, [&](LinkIndex link) { visit(link, bytes); });
  });
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
