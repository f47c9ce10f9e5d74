#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "topology/cluster.h"

namespace portolan {

/// Payloads that some nodes hand to one another, and the last ones to the first, alike but for where they go,
/// and others alike in each of these nodes. Nodes tell for others whose payloads come and go as far, within
/// the pod or to the next one of the group, and pods for others of which all nodes have neighbours in the
/// group.
class ToldHops {
 public:
  /// Of each `period` of nodes from `first` on the first `width`, `count` in all; each hands to the one that
  /// is `hop` of them further.
  struct Nodes {
    std::int64_t first = 0;
    std::int64_t period = 1;
    std::int64_t width = 1;
    std::int64_t count = 2;
    std::int64_t hop = 1;
    std::int64_t differ = 0;  ///< so many at both ends have other members

    /// Which of the nodes it is; nothing where it is none.
    std::optional<std::int64_t> place_of(std::int64_t node) const;
    std::int64_t node_at(std::int64_t place) const { return first + place / width * period + place % width; }

    bool operator==(const Nodes&) const = default;
  };
  /// Preconditions: 1 <= width <= period; 1 <= hop < count; where ends differ, width = period.
  ToldHops(const Cluster& cluster, const Nodes& nodes);

  /// One of the rings: the nodes to which what begins at one of the first `hop` nodes comes.
  class Ring {
   public:
    Ring(const Nodes& nodes, std::int64_t first_place) : nodes_(nodes), first_place_(first_place) {}

    std::int64_t num_nodes() const { return (nodes_.count - first_place_ - 1) / nodes_.hop + 1; }
    std::int64_t node_at(std::int64_t index) const {
      return nodes_.node_at(first_place_ + index * nodes_.hop);
    }
    /// Nothing for a node of another ring.
    std::optional<std::int64_t> index_of(std::int64_t node) const;

   private:
    Nodes nodes_;
    std::int64_t first_place_ = 0;
  };
  /// Precondition: one of the first `hop` nodes.
  Ring ring_of(std::int64_t first) const { return {nodes_, *nodes_.place_of(first)}; }
  /// Calls `visit(index)`, ascending, at least for each node of the ring that tells or hands to one that
  /// does, or over a link that tells: few of many.
  template <typename Visit>
  void for_each_candidate(const Ring& ring, const Visit& visit) const;
  bool tells(std::int64_t node) const { return told_node(node) == node; }
  /// Whether what a node hands to another crosses a link that tells.
  bool cross_what_tells(std::int64_t from, std::int64_t to) const;
  /// The link that tells what is on `link`.
  LinkIndex told(const Cluster& cluster, LinkIndex link) const;
  /// Calls `visit(link)` for each link of which `told` tells, in ascending order of nodes.
  template <typename Visit>
  void for_each_like(const Cluster& cluster, LinkIndex told, const Visit& visit) const;
  /// The same for devices so much further that find the same.
  ToldHops moved(DeviceIndex devices) const;

  bool operator==(const ToldHops&) const = default;

 private:
  /// How far a payload goes, or where it comes from.
  enum class Reach : std::uint8_t { kPod, kGroup, kBeyond };

  std::int64_t pod_of(std::int64_t node) const { return node / nodes_per_pod_; }
  std::int64_t group_of(std::int64_t node) const { return node / nodes_per_group_; }
  Reach reach(std::int64_t from, std::int64_t to) const;
  /// Behind the last node.
  std::int64_t end() const { return node_at(nodes_.count - 1) + 1; }
  bool is_in_range(std::int64_t node) const { return node >= nodes_.first && node < end(); }
  std::optional<std::int64_t> place_of(std::int64_t node) const { return nodes_.place_of(node); }
  std::int64_t node_at(std::int64_t place) const { return nodes_.node_at(place); }
  /// The most nodes that a hop goes over.
  std::int64_t longest_hop() const;
  /// How far what comes to a node and what leaves it goes.
  struct Reaches {
    Reach in = Reach::kPod;
    Reach out = Reach::kPod;
  };
  /// Nothing where one is beyond, or the node has no neighbour there.
  std::optional<Reaches> inner_reaches(std::int64_t node) const;
  std::int64_t& telling_of(const Reaches& reaches) {
    return telling_nodes_[static_cast<std::size_t>(reaches.in)][static_cast<std::size_t>(reaches.out)];
  }
  std::int64_t telling_of(const Reaches& reaches) const {
    return telling_nodes_[static_cast<std::size_t>(reaches.in)][static_cast<std::size_t>(reaches.out)];
  }
  /// The node or pod that tells.
  std::int64_t told_node(std::int64_t node) const;
  std::int64_t told_pod(std::int64_t pod, bool upward) const;
  /// Whether every node of the pod is there, and those that it hands to (`upward`), or is handed from, too
  /// and in the same group.
  bool is_inner(std::int64_t pod, bool upward) const;

  static constexpr std::int64_t kNone = -1;
  Nodes nodes_;
  std::int64_t gpus_per_node_ = 1;
  std::int64_t nodes_per_pod_ = 1;
  std::int64_t nodes_per_group_ = 1;
  std::array<std::array<std::int64_t, 2>, 2> telling_nodes_{{{kNone, kNone}, {kNone, kNone}}};  ///< by Reach
  std::array<std::int64_t, 2> telling_pods_{kNone, kNone};  ///< downward, upward
};

template <typename Visit>
void ToldHops::for_each_candidate(const Ring& ring, const Visit& visit) const {
  // Deep inside a pod nodes are alike: the first of them is at most a period behind those that others reach.
  const std::int64_t front = longest_hop() + nodes_.period + 1 + nodes_.differ;
  const std::int64_t back = 2 * longest_hop() + nodes_.differ;
  const std::int64_t num_pods = pod_of(end() - 1) - pod_of(nodes_.first) + 1;
  if (ring.num_nodes() <= num_pods * (front + back)) {
    for (std::int64_t index = 0; index < ring.num_nodes(); ++index) {
      visit(index);
    }
    return;
  }
  for (std::int64_t begin = nodes_.first; begin < end();) {
    const std::int64_t next = std::min((pod_of(begin) + 1) * nodes_per_pod_, end());
    for (std::int64_t node = begin; node < next; ++node) {
      if (node == begin + front) {
        node = std::max(node, next - back);
      }
      if (const std::optional<std::int64_t> index = ring.index_of(node)) {
        visit(*index);
      }
    }
    begin = next;
  }
}

template <typename Visit>
void ToldHops::for_each_like(const Cluster& cluster, LinkIndex told, const Visit& visit) const {
  const Cluster::LinkOwner owner = cluster.owner_of(told);
  const bool of_node = owner.kind == Cluster::LinkOwner::Kind::kNode;
  const std::int64_t nodes = of_node ? 1 : nodes_per_pod_;  // of what owns it
  if (owner.kind == Cluster::LinkOwner::Kind::kGroup || !is_in_range(owner.index * nodes)) {
    visit(told);
    return;
  }
  for (std::int64_t index = nodes_.first / nodes; index <= (end() - 1) / nodes; ++index) {
    if ((of_node ? told_node(index) : told_pod(index, owner.upward)) == owner.index) {
      visit(*cluster.moved(told, (index - owner.index) * nodes * gpus_per_node_));
    }
  }
}

}  // namespace portolan
