#pragma once

#include <cstdint>
#include <optional>

#include "topology/cluster.h"

namespace portolan {

/// Groups of ranks that sit alike but for their places within nodes, and so use rails of their own, send
/// alike over links that they do not share, but for core trunks: those in the first `unit` places of each
/// `span` tell for the others. So do those that sit alike but for their nodes within pods, and so use spines
/// of their own: those in the first node of each pod tell for them.
class ToldGroups {
 public:
  /// All tell for themselves.
  ToldGroups() = default;
  /// Preconditions: span divides the GPUs of a node, and unit the span; unit is a multiple of the cluster's
  /// rail_width(). with_nodes: also of other nodes; the cluster has alike_nodes().
  ToldGroups(const Cluster& cluster, std::int32_t unit, std::int32_t span, bool with_nodes)
      : unit_(unit),
        span_(span),
        gpus_per_node_(static_cast<std::int32_t>(cluster.hardware().gpus_per_node)),
        num_nodes_(with_nodes ? *cluster.alike_nodes() : 1) {}

  /// Whether the group tells that has `rank` as its first.
  bool tell(std::int32_t rank) const {
    return rank % span_ < unit_ && (num_nodes_ == 1 || rank / gpus_per_node_ % num_nodes_ == 0);
  }
  std::int32_t num_rails() const { return span_ / unit_; }
  std::int32_t num_nodes() const { return num_nodes_; }

  /// The link that tells what is on `link`: of core trunks, one of the same core switch.
  LinkIndex told(const Cluster& cluster, LinkIndex link) const {
    if (num_nodes_ > 1) {
      link = cluster.moved_within_pods(link, -cluster.node_in_pod(link));
    }
    const std::optional<std::int32_t> place = num_rails() == 1 ? std::nullopt : cluster.place_in_node(link);
    return place ? cluster.moved_within_nodes(link, -(*place % span_ / unit_ * unit_)) : link;
  }
  /// Calls `visit(link)` for each link of which `told` tells, itself first.
  template <typename Visit>
  void for_each_like(const Cluster& cluster, LinkIndex told, const Visit& visit) const {
    const std::int32_t rails = num_rails() > 1 && cluster.place_in_node(told) ? num_rails() : 1;
    for (std::int32_t node = 0; node < num_nodes_; ++node) {
      const LinkIndex first = node == 0 ? told : cluster.moved_within_pods(told, node);
      visit(first);
      for (std::int32_t rail = 1; rail < rails; ++rail) {
        visit(cluster.moved_within_nodes(first, rail * unit_));
      }
    }
  }
  /// Calls `visit(trunk, places)` for each flow on other rails of which one that crosses the core trunk
  /// `told` tells: what it crosses instead, and by how many places it is moved.
  template <typename Visit>
  void for_each_other_on_core(const Cluster& cluster, LinkIndex told, const Visit& visit) const {
    const Cluster::CoreTrunks trunks = cluster.core_trunks_beside(told);
    const std::int32_t rails_in_unit = unit_ / *cluster.rail_width();
    for (std::int32_t rail = 1; rail < num_rails(); ++rail) {
      visit(trunks.at(rail * rails_in_unit), rail * unit_);
    }
  }

  bool operator==(const ToldGroups&) const = default;

 private:
  std::int32_t unit_ = 1;
  std::int32_t span_ = 1;
  std::int32_t gpus_per_node_ = 1;
  std::int32_t num_nodes_ = 1;  ///< for which one tells
};

}  // namespace portolan
