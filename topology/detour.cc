#include "topology/detour.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "topology/route.h"

namespace portolan {

namespace {

class LivingRoute {
 public:
  LivingRoute(const ClusterLayout& layout, const ClusterCondition& condition, DeviceIndex source,
              DeviceIndex destination)
      : layout_(layout),
        condition_(condition),
        source_(source),
        destination_(destination),
        source_node_(layout.node_of_gpu(source)),
        destination_node_(layout.node_of_gpu(destination)) {}

  /// Precondition: the two are in different nodes.
  std::optional<Route> find() const {
    const std::int64_t cards = layout_.nics_per_node;
    const std::int64_t own = layout_.nic_of_gpu(destination_) % cards;
    for (std::int64_t k = 0; k < cards; ++k) {
      const std::int64_t to = destination_node_ * cards + (own + k) % cards;
      if (condition_.is_dead(layout_.nic_down(to))) {
        continue;
      }
      if (const auto from = sending_card(to)) {
        if (const auto trunks = living_trunks(*from, to)) {
          return over(*from, to, *trunks);
        }
      }
    }
    return std::nullopt;
  }

 private:
  /// On the rail of the card `to`; nothing where none lives.
  std::optional<std::int64_t> sending_card(std::int64_t to) const {
    const std::int64_t cards = layout_.nics_per_node;
    const bool have_rails = layout_.leaves_per_pod == cards && cards > 1;
    const std::int64_t first = have_rails ? to % cards : layout_.nic_of_gpu(source_) % cards;
    for (std::int64_t k = 0; k < (have_rails ? 1 : cards); ++k) {
      const std::int64_t from = source_node_ * cards + (first + k) % cards;
      if (!condition_.is_dead(layout_.nic_up(from))) {
        return from;
      }
    }
    return std::nullopt;
  }

  /// From leaf to leaf; empty within a pod. Nothing where none lives.
  std::optional<LinkList> living_trunks(std::int64_t from, std::int64_t to) const {
    if (layout_.pod_of_node(source_node_) == layout_.pod_of_node(destination_node_)) {
      return LinkList();
    }
    const std::int64_t cores = layout_.num_cores;
    const bool other_group =
        layout_.group_of_leaf(layout_.leaf_of_nic(from)) != layout_.group_of_leaf(layout_.leaf_of_nic(to));
    for (std::int64_t spine = 0; spine < layout_.spines_per_group; ++spine) {
      for (std::int64_t core = 0; core < (other_group ? cores : 1); ++core) {
        const LinkList trunks = trunks_between(layout_, from, to, {.spine = spine, .core = core});
        if (std::none_of(trunks.begin(), trunks.end(),
                         [&](LinkIndex link) { return condition_.is_dead(link); })) {
          return trunks;
        }
      }
    }
    return std::nullopt;
  }

  /// The GPU itself where the card is its own or, of those that share the card, the one in its place.
  std::int64_t gpu_at(std::int64_t card, std::int64_t gpu) const {
    return card * layout_.gpus_per_nic() + gpu % layout_.gpus_per_nic();
  }

  /// As rail_route(): on the destination's rail the source's own card, or that of the GPU in its place.
  std::int64_t sender(std::int64_t from) const {
    if (layout_.nic_of_gpu(source_) == from) {
      return source_;
    }
    return gpu_at(from, destination_);
  }

  Route over(std::int64_t from, std::int64_t to, const LinkList& trunks) const {
    Route route;
    const std::int64_t sending = sender(from);
    const std::int64_t receiving = gpu_at(to, destination_);
    const bool has_pcie = layout_.pcie_switches_per_node > 0;
    const auto append_nvlink = [&](std::int64_t a, std::int64_t b) {
      if (a != b) {
        route.links.push_back(layout_.nvlink_up(a));
        route.links.push_back(layout_.nvlink_down(b));
      }
    };
    append_nvlink(source_, sending);
    if (has_pcie) {
      route.links.push_back(layout_.pcie_up(sending));
    }
    route.links.push_back(layout_.nic_up(from));
    for (const LinkIndex link : trunks) {
      route.links.push_back(link);
    }
    route.links.push_back(layout_.nic_down(to));
    if (has_pcie) {
      route.links.push_back(layout_.pcie_down(receiving));
    }
    append_nvlink(receiving, destination_);
    return route;
  }

  const ClusterLayout& layout_;
  const ClusterCondition& condition_;
  std::int64_t source_;
  std::int64_t destination_;
  std::int64_t source_node_;
  std::int64_t destination_node_;
};

/// Nodes that stand for all in what they can reach: those of dead cards, of pods and groups with dead trunks,
/// and others. Two that the same one stands for reach one another, as nothing between them is dead.
class StandingNodes {
 public:
  StandingNodes(const ClusterLayout& layout, const ClusterCondition& condition)
      : layout_(layout), condition_(condition) {
    for (const auto& [link, share] : condition.impaired_links()) {
      if (share == 0) {
        note(layout.numbered(link));
      }
    }
  }

  std::vector<std::int64_t> nodes() const {
    std::vector<std::int64_t> standing;
    for (const std::int64_t node : nodes_) {
      if (!condition_.is_failed(node)) {
        standing.push_back(node);
      }
    }
    const std::int64_t num_nodes = layout_.num_nodes;
    const std::int64_t per_pod = layout_.nodes_per_pod;
    const std::int64_t per_group = per_pod * layout_.pods_per_group;
    for (const std::int64_t pod : pods_) {
      add_first(pod * per_pod, std::min((pod + 1) * per_pod, num_nodes), false, standing);
    }
    for (const std::int64_t group : groups_) {
      add_first(group * per_group, std::min((group + 1) * per_group, num_nodes), true, standing);
    }
    for (std::int64_t group = 0; group < layout_.num_groups; ++group) {
      if (!groups_.contains(group) &&
          add_first(group * per_group, std::min((group + 1) * per_group, num_nodes), true, standing)) {
        break;
      }
    }
    return standing;
  }

 private:
  void note(ClusterLayout::NumberedLink link) {
    if (link.kind == LinkKind::kNic) {
      const std::int64_t node = link.number / layout_.nics_per_node;
      nodes_.insert(node);
      groups_.insert(layout_.group_of_pod(layout_.pod_of_node(node)));
    } else if (link.kind == LinkKind::kTrunk) {
      const std::int64_t pod = link.number / layout_.spines_per_group / layout_.leaves_per_pod;
      pods_.insert(pod);
      groups_.insert(layout_.group_of_pod(pod));
    } else {
      groups_.insert(link.number / layout_.num_cores / layout_.spines_per_group);
    }
  }

  /// The first living node of the range without a dead card, also of a pod without dead trunks.
  bool add_first(std::int64_t begin, std::int64_t end, bool of_other_pod,
                 std::vector<std::int64_t>& standing) const {
    for (std::int64_t node = begin; node < end; ++node) {
      const bool fits = !nodes_.contains(node) && !condition_.is_failed(node) &&
                        !(of_other_pod && pods_.contains(layout_.pod_of_node(node)));
      if (fits) {
        standing.push_back(node);
        return true;
      }
    }
    return false;
  }

  const ClusterLayout& layout_;
  const ClusterCondition& condition_;
  std::set<std::int64_t> nodes_, pods_, groups_;  ///< that dead links touch, or are around these
};

}  // namespace

std::optional<Route> living_route(const ClusterLayout& layout, const ClusterCondition& condition,
                                  DeviceIndex source, DeviceIndex destination) {
  if (layout.node_of_gpu(source) == layout.node_of_gpu(destination)) {
    return rail_route(layout, source, destination);
  }
  return LivingRoute(layout, condition, source, destination).find();
}

std::optional<std::string> find_unreachable(const ClusterLayout& layout, const ClusterCondition& condition) {
  if (!condition.has_dead_links()) {
    return std::nullopt;
  }
  const std::vector<std::int64_t> nodes = StandingNodes(layout, condition).nodes();
  for (const std::int64_t from : nodes) {
    for (const std::int64_t to : nodes) {
      const auto gpu = [&](std::int64_t node) {
        return static_cast<DeviceIndex>(node * layout.gpus_per_node);
      };
      if (from != to && !living_route(layout, condition, gpu(from), gpu(to))) {
        return fmt::format("no way from node{} to node{} is left", from, to);
      }
    }
  }
  return std::nullopt;
}

}  // namespace portolan
