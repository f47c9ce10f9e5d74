#include "plan/told_hops.h"

#include <algorithm>
#include <cassert>

namespace portolan {

ToldHops::ToldHops(const Cluster& cluster, const Nodes& nodes)
    : nodes_(nodes), gpus_per_node_(cluster.hardware().gpus_per_node) {
  assert(nodes.width >= 1 && nodes.width <= nodes.period);
  assert(nodes.hop >= 1 && nodes.hop < nodes.count);
  const Hardware& hardware = cluster.hardware();
  nodes_per_pod_ = hardware.nodes_per_pod;
  nodes_per_group_ =
      hardware.pods_per_group == 0 ? hardware.num_nodes : nodes_per_pod_ * hardware.pods_per_group;
  // All that can tell for many is among the first ones; where it is not, nodes tell for themselves.
  constexpr std::int64_t kPods = 4;
  const std::int64_t last = std::min(end(), nodes.first + kPods * nodes_per_pod_ + 2 * longest_hop()) - 1;
  for (std::int64_t node = nodes.first; node <= last; ++node) {
    if (const auto reaches = inner_reaches(node)) {
      std::int64_t& telling = telling_of(*reaches);
      telling = telling == kNone ? node : telling;
    }
  }
  for (std::int64_t pod = pod_of(nodes.first); pod <= pod_of(last); ++pod) {
    for (const bool upward : {false, true}) {
      std::int64_t& telling = telling_pods_[upward ? 1 : 0];
      telling = telling == kNone && is_inner(pod, upward) ? pod : telling;
    }
  }
}

ToldHops::Reach ToldHops::reach(std::int64_t from, std::int64_t to) const {
  return pod_of(from) == pod_of(to)       ? Reach::kPod
         : group_of(from) == group_of(to) ? Reach::kGroup
                                          : Reach::kBeyond;
}

std::optional<std::int64_t> ToldHops::Nodes::place_of(std::int64_t node) const {
  const std::int64_t further = node - first;
  const std::int64_t in_period = further % period;
  if (further < 0 || in_period >= width) {
    return std::nullopt;
  }
  const std::int64_t place = further / period * width + in_period;
  return place < count ? std::optional(place) : std::nullopt;
}

std::optional<std::int64_t> ToldHops::Ring::index_of(std::int64_t node) const {
  const std::optional<std::int64_t> place = nodes_.place_of(node);
  return place && *place % nodes_.hop == first_place_ ? std::optional(*place / nodes_.hop) : std::nullopt;
}

std::int64_t ToldHops::longest_hop() const {
  const std::int64_t rest = nodes_.hop % nodes_.width;
  return nodes_.hop / nodes_.width * nodes_.period + (rest > 0 ? rest + nodes_.period - nodes_.width : 0);
}

std::optional<ToldHops::Reaches> ToldHops::inner_reaches(std::int64_t node) const {
  const std::optional<std::int64_t> place = place_of(node);
  const std::int64_t from_end = nodes_.hop + nodes_.differ;
  if (!place || *place < from_end || *place + from_end >= nodes_.count) {
    return std::nullopt;
  }
  const Reaches reaches{reach(node_at(*place - nodes_.hop), node), reach(node, node_at(*place + nodes_.hop))};
  return reaches.in == Reach::kBeyond || reaches.out == Reach::kBeyond ? std::nullopt
                                                                       : std::optional(reaches);
}

std::int64_t ToldHops::told_node(std::int64_t node) const {
  const std::optional<Reaches> reaches = inner_reaches(node);
  const std::int64_t telling = reaches ? telling_of(*reaches) : kNone;
  return telling == kNone ? node : telling;
}

bool ToldHops::is_inner(std::int64_t pod, bool upward) const {
  const std::int64_t begin = pod * nodes_per_pod_;
  const std::int64_t last = begin + nodes_per_pod_ - 1;
  const std::int64_t furthest = upward ? last + longest_hop() : begin - longest_hop();
  // Further than a pod, payloads of one pod come to several; and each pod has the same of its nodes.
  const bool fits = longest_hop() <= nodes_per_pod_ &&
                    (nodes_.width == nodes_.period || nodes_per_pod_ % nodes_.period == 0);
  const auto is_inside = [&](std::int64_t node) {
    return node >= nodes_.first + nodes_.differ && node < end() - nodes_.differ;
  };
  return fits && is_inside(begin) && is_inside(last) && is_inside(furthest) &&
         group_of(begin) == group_of(furthest);
}

std::int64_t ToldHops::told_pod(std::int64_t pod, bool upward) const {
  const std::int64_t telling = telling_pods_[upward ? 1 : 0];
  return telling != kNone && is_inner(pod, upward) ? telling : pod;
}

bool ToldHops::cross_what_tells(std::int64_t from, std::int64_t to) const {
  const std::optional<std::int64_t> next = place_of(to);
  return !next || *next < nodes_.hop || node_at(*next - nodes_.hop) != from || tells(from) || tells(to) ||
         (reach(from, to) == Reach::kGroup &&
          (told_pod(pod_of(from), true) == pod_of(from) || told_pod(pod_of(to), false) == pod_of(to)));
}

LinkIndex ToldHops::told(const Cluster& cluster, LinkIndex link) const {
  const Cluster::LinkOwner owner = cluster.owner_of(link);
  std::int64_t nodes = 0;
  switch (owner.kind) {
    case Cluster::LinkOwner::Kind::kNode:
      nodes = told_node(owner.index) - owner.index;
      break;
    case Cluster::LinkOwner::Kind::kPod:
      nodes = (told_pod(owner.index, owner.upward) - owner.index) * nodes_per_pod_;
      break;
    case Cluster::LinkOwner::Kind::kGroup:
      break;
  }
  return nodes == 0 ? link : *cluster.moved(link, nodes * gpus_per_node_);
}

ToldHops ToldHops::moved(DeviceIndex devices) const {
  ToldHops hops = *this;
  const std::int64_t nodes = devices / gpus_per_node_;
  const auto move = [&](std::int64_t& index, std::int64_t by) { index += index == kNone ? 0 : by; };
  hops.nodes_.first += nodes;
  for (auto& by_reach : hops.telling_nodes_) {
    for (std::int64_t& node : by_reach) {
      move(node, nodes);
    }
  }
  for (std::int64_t& pod : hops.telling_pods_) {
    move(pod, nodes / nodes_per_pod_);
  }
  return hops;
}

}  // namespace portolan
