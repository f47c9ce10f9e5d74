#pragma once

#include <cstdint>
#include <span>
#include <unordered_set>
#include <utility>
#include <vector>

#include "plan/cluster_event.h"
#include "plan/group_flows.h"
#include "plan/program.h"
#include "topology/cluster.h"

namespace portolan {

/// On which links payloads may find another than on the healthy cluster, because of its condition or of
/// events: what crosses them is simulated, not taken to last as long as it does everywhere.
class Disturbance {
 public:
  /// None.
  Disturbance() = default;
  /// `cluster` must outlive it. Precondition: check_events() found nothing.
  Disturbance(const Cluster& cluster, std::span<const ClusterEvent> events);

  bool touches(LinkIndex link) const;
  /// Whether a flow of any group of the stage crosses such a link. groups: on the healthy cluster.
  bool touches(const GroupFlows& groups, const Op& op, std::int32_t stage) const;

 private:
  const Cluster* cluster_ = nullptr;
  std::unordered_set<LinkIndex> of_events_;
};

/// The same of all ops of a stage; looks once at those that have the same flows.
class DisturbedOps {
 public:
  /// Both must outlive it, as must the ops that it is asked about.
  DisturbedOps(const Disturbance& disturbance, const GroupFlows& groups, std::int32_t stage)
      : disturbance_(disturbance), groups_(groups), stage_(stage) {}

  bool contains(const Op& op);

 private:
  const Disturbance& disturbance_;
  const GroupFlows& groups_;
  std::int32_t stage_;
  std::vector<std::pair<const Op*, bool>> known_;  ///< a handful of shapes
};

}  // namespace portolan
