#pragma once

#include <cstdint>
#include <optional>

#include "plan/collectives/flow_set.h"
#include "topology/cluster.h"

namespace portolan {

/// Groups of ranks that sit alike but for their places within nodes, and so use rails of their own, send
/// alike over links that they do not share, but for core trunks: those in the first `unit` places of each
/// `span` tell for the others.
class ToldRails {
 public:
  /// All tell for themselves.
  ToldRails() = default;
  /// Preconditions: span divides the GPUs of a node, and unit the span; unit is a multiple of the cluster's
  /// rail_width().
  ToldRails(std::int32_t unit, std::int32_t span) : unit_(unit), span_(span) {}

  /// Whether the group tells that has `rank` as its first.
  bool tell(std::int32_t rank) const { return rank % span_ < unit_; }
  std::int32_t times() const { return span_ / unit_; }

  /// The link that tells what is on `link`: a core trunk itself.
  LinkIndex told(const Cluster& cluster, LinkIndex link) const {
    const std::optional<std::int32_t> place = times() == 1 ? std::nullopt : cluster.place_in_node(link);
    return place ? cluster.moved_within_nodes(link, -(*place % span_ / unit_ * unit_)) : link;
  }
  /// Calls `visit(link)` for each link of which `told` tells, itself first.
  template <typename Visit>
  void for_each_like(const Cluster& cluster, LinkIndex told, const Visit& visit) const {
    visit(told);
    if (times() == 1 || !cluster.place_in_node(told)) {
      return;
    }
    for (std::int32_t i = 1; i < times(); ++i) {
      visit(cluster.moved_within_nodes(told, i * unit_));
    }
  }
  /// Calls `visit(flow, core_trunks)` for each flow on other rails of which `told` tells and that crosses
  /// core trunks: what is on these must be added up.
  template <typename Visit>
  void for_each_on_core(const Cluster& cluster, const Flow& told, const Visit& visit) const {
    if (times() == 1 || told.source == kHostEnd || told.destination == kHostEnd) {
      return;
    }
    const LinkList trunks = cluster.core_trunks_between(told.source, told.destination);
    for (std::int32_t moved = unit_; !trunks.empty() && moved < span_; moved += unit_) {
      visit(Flow{told.source + moved, told.destination + moved, told.bytes},
            cluster.moved_core_trunks(trunks, moved / *cluster.rail_width()));
    }
  }

  bool operator==(const ToldRails&) const = default;

 private:
  std::int32_t unit_ = 1;
  std::int32_t span_ = 1;
};

}  // namespace portolan
