#include "plan/disturbance.h"

#include <algorithm>

#include "plan/share_changes.h"

namespace portolan {

Disturbance::Disturbance(const Cluster& cluster, std::span<const ClusterEvent> events) : cluster_(&cluster) {
  for (const ClusterEvent& event : events) {
    const std::vector<LinkIndex> links = links_touched(cluster, event);
    of_events_.insert(links.begin(), links.end());
  }
}

bool Disturbance::touches(LinkIndex link) const {
  return cluster_ != nullptr && (of_events_.contains(link) || cluster_->is_disturbed(link));
}

bool Disturbance::touches(const GroupFlows& groups, const Op& op, std::int32_t stage) const {
  if (cluster_ == nullptr || (of_events_.empty() && !cluster_->has_impaired_links())) {
    return false;
  }
  const std::vector<FlowSet> sets = groups.all_groups(op, stage);
  return std::any_of(sets.begin(), sets.end(), [&](const FlowSet& set) {
    return std::any_of(set.flows.begin(), set.flows.end(), [&](const Flow& flow) {
      const LinkList links = links_of(cluster_->healthy(), flow);
      return std::any_of(links.begin(), links.end(), [&](LinkIndex link) { return touches(link); });
    });
  });
}

bool DisturbedOps::contains(const Op& op) {
  const auto found = std::find_if(known_.begin(), known_.end(),
                                  [&](const auto& known) { return flow_alike(*known.first, op); });
  if (found != known_.end()) {
    return found->second;
  }
  return known_.emplace_back(&op, disturbance_.touches(groups_, op, stage_)).second;
}

}  // namespace portolan
