#pragma once

#include <cstdint>
#include <optional>

#include "plan/told_blocks.h"
#include "plan/told_hops.h"
#include "topology/cluster.h"

namespace portolan {

/// Groups of ranks that sit alike but for their places within nodes, and so use rails of their own, send
/// alike over links that they do not share, but for core trunks: those in the first `unit` places of each
/// `span` tell for the others. So do those that sit alike but for their nodes within pods, and so use spines
/// of their own: those in the first node of each pod tell for them. And where all groups hand payloads from
/// node to node, as rings do, some of these tell for the others (ToldHops); where groups stay in blocks of
/// devices, some of these (ToldBlocks).
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

  /// The same, but some hops between nodes tell for others, or some blocks of groups.
  ToldGroups with(const ToldHops& hops) const {
    ToldGroups groups = *this;
    groups.hops_ = hops;
    return groups;
  }
  ToldGroups with(const ToldBlocks& blocks) const {
    ToldGroups groups = *this;
    groups.blocks_ = blocks;
    return groups;
  }
  const std::optional<ToldHops>& hops() const { return hops_; }
  const std::optional<ToldBlocks>& blocks() const { return blocks_; }
  /// For groups so many devices further that find the same.
  ToldGroups moved(DeviceIndex devices) const {
    ToldGroups groups = *this;
    groups.hops_ = hops_ ? std::optional(hops_->moved(devices)) : std::nullopt;
    groups.blocks_ = blocks_ ? std::optional(blocks_->moved(devices)) : std::nullopt;
    return groups;
  }

  /// 0 if the group tells that has `rank` as its first; else of how many ranks from it on, at least, none
  /// does.
  std::int32_t num_silent(const Cluster& cluster, std::int32_t rank) const {
    if (const std::int32_t place = rank % span_; place >= unit_) {
      return span_ - place;
    }
    if (const std::int32_t node = rank / gpus_per_node_ % num_nodes_; node > 0) {
      return (num_nodes_ - node) * gpus_per_node_ - rank % gpus_per_node_;
    }
    return blocks_ ? blocks_->num_silent(cluster, rank) : 0;
  }
  /// Whether no group tells that has one of the ranks `first`, `first` + `stride` and so on as its first, as
  /// all are on rails of which others tell.
  bool are_silent(std::int32_t first, std::int32_t stride) const {
    return first % span_ >= unit_ && stride % span_ == 0;
  }
  std::int32_t num_rails() const { return span_ / unit_; }
  std::int32_t num_nodes() const { return num_nodes_; }

  /// The link that tells what is on `link`: of core trunks, one of the same core switch.
  LinkIndex told(const Cluster& cluster, LinkIndex link) const {
    if (num_nodes_ > 1) {
      link = cluster.moved_within_pods(link, -cluster.node_in_pod(link));
    }
    if (hops_) {
      link = hops_->told(cluster, link);
    }
    if (blocks_) {
      link = blocks_->told(cluster, link);
    }
    const std::optional<std::int32_t> place = num_rails() == 1 ? std::nullopt : cluster.place_in_node(link);
    return place ? cluster.moved_within_nodes(link, -(*place % span_ / unit_ * unit_)) : link;
  }
  /// Calls `visit(link)` for each link of which `told` tells, itself first.
  template <typename Visit>
  void for_each_like(const Cluster& cluster, LinkIndex told, const Visit& visit) const {
    if (hops_) {
      hops_->for_each_like(cluster, told, [&](LinkIndex link) { for_each_rail(cluster, link, visit); });
      return;
    }
    if (blocks_) {
      blocks_->for_each_like(cluster, told, [&](LinkIndex link) { for_each_rail(cluster, link, visit); });
      return;
    }
    for (std::int32_t node = 0; node < num_nodes_; ++node) {
      for_each_rail(cluster, node == 0 ? told : cluster.moved_within_pods(told, node), visit);
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
  template <typename Visit>
  void for_each_rail(const Cluster& cluster, LinkIndex told, const Visit& visit) const {
    const std::int32_t rails = num_rails() > 1 && cluster.place_in_node(told) ? num_rails() : 1;
    for (std::int32_t rail = 0; rail < rails; ++rail) {
      visit(rail == 0 ? told : cluster.moved_within_nodes(told, rail * unit_));
    }
  }

  std::int32_t unit_ = 1;
  std::int32_t span_ = 1;
  std::int32_t gpus_per_node_ = 1;
  std::int32_t num_nodes_ = 1;  ///< for which one tells
  std::optional<ToldHops> hops_;
  std::optional<ToldBlocks> blocks_;
};

}  // namespace portolan
