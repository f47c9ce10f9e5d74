#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

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
  /// Calls `visit(trunk, places)` for each flow on other rails of which one that crosses the core trunk
  /// `told` tells: what it crosses instead, and by how many places it is moved.
  template <typename Visit>
  void for_each_other_on_core(const Cluster& cluster, LinkIndex told, const Visit& visit) const {
    const Cluster::CoreTrunks trunks = cluster.core_trunks_beside(told);
    const std::int32_t rails_in_unit = unit_ / *cluster.rail_width();
    for (std::int32_t i = 1; i < times(); ++i) {
      visit(trunks.at(i * rails_in_unit), i * unit_);
    }
  }
  /// Adds to the loads of what tells that of the others on core trunks. Returns those that what tells
  /// crosses.
  template <typename Loads>
  std::vector<LinkIndex> add_others_on_core(const Cluster& cluster, Loads& loads) const {
    std::vector<LinkIndex> told;
    std::vector<double> bytes;
    if (times() > 1) {
      loads.for_each([&](LinkIndex link, double on_link) {
        if (cluster.is_core_trunk(link)) {
          told.push_back(link);
          bytes.push_back(on_link);
        }
      });
    }
    for (std::size_t i = 0; i < told.size(); ++i) {
      for_each_other_on_core(cluster, told[i],
                             [&](LinkIndex trunk, std::int32_t) { loads.add(trunk, bytes[i]); });
    }
    return told;
  }

  bool operator==(const ToldRails&) const = default;

 private:
  std::int32_t unit_ = 1;
  std::int32_t span_ = 1;
};

}  // namespace portolan
