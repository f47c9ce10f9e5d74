#include "plan/group_flows.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "plan/collectives/link_loads.h"
#include "plan/rank_place.h"

namespace portolan {

namespace {

constexpr AxisSet kOfStage = {Axis::kTensor, Axis::kContext, Axis::kExpert, Axis::kData};

/// Adds to the loads of what tells that of the others on core trunks.
void add_others_on_core(const Cluster& cluster, const ToldGroups& groups, LinkLoads& loads) {
  if (groups.num_rails() == 1) {
    return;
  }
  std::vector<std::pair<LinkIndex, double>> told;
  loads.for_each([&](LinkIndex link, double bytes) {
    if (cluster.is_core_trunk(link)) {
      told.emplace_back(link, bytes);
    }
  });
  for (const auto& [trunk, bytes] : told) {
    groups.for_each_other_on_core(
        cluster, trunk, [&, added = bytes](LinkIndex other, std::int32_t) { loads.add(other, added); });
  }
}

}  // namespace

bool flow_alike(const Op& a, const Op& b) {
  return a.kind == b.kind && a.collective == b.collective && a.algorithm == b.algorithm &&
         a.group == b.group && a.axes == b.axes && a.group_size == b.group_size &&
         a.peer_offset == b.peer_offset && a.to_host == b.to_host;
}

FlowSet GroupFlows::of_group(const Op& op, std::int32_t rank, const ToldGroups& telling) const {
  if (op.kind == OpKind::kCollective) {
    CollectiveRequest request{
        .kind = op.collective, .algorithm = op.algorithm, .members = {}, .payload = op.bytes};
    if (telling.hops()) {
      request.hops = &*telling.hops();
      request.ring = ring_members(op, rank, *telling.hops());
    } else {
      request.members = group_of(placement_, rank, op);
    }
    return collective_flows(cluster_, std::move(request));
  }
  if (op.kind == OpKind::kCopy) {
    return host_copy(cluster_, rank, op.to_host, op.bytes);
  }
  const std::int32_t peer = peer_of(placement_, rank, op);
  const bool sends = op.kind == OpKind::kSend;
  return point_to_point(cluster_, sends ? rank : peer, sends ? peer : rank, op.bytes);
}

RingMembers GroupFlows::ring_members(const Op& op, std::int32_t rank, const ToldHops& hops) const {
  const std::int32_t count = group_size_of(placement_, rank, op);
  const auto member = [&](std::int32_t index) { return member_of_group(placement_, rank, op, index); };
  const auto on_node = [&](std::int64_t node) {
    std::int32_t begin = 0;
    for (std::int32_t end = count; begin < end;) {  // by halves: members are ascending
      const std::int32_t middle = begin + (end - begin) / 2;
      if (cluster_.node_of(member(middle)) < node) {
        begin = middle + 1;
      } else {
        end = middle;
      }
    }
    std::vector<DeviceIndex> members;
    for (std::int32_t index = begin; index < count && cluster_.node_of(member(index)) == node; ++index) {
      members.push_back(member(index));
    }
    return members;
  };
  const ToldHops::Ring ring = hops.ring_of(cluster_.node_of(member(0)));
  return {.first = on_node(ring.node_at(0)),
          .second = on_node(ring.node_at(1)),
          .last = on_node(ring.node_at(ring.num_nodes() - 1))};
}

GroupFlows::Hull GroupFlows::hull(const Op& op, std::int32_t stage, AxisSet varied) const {
  Hull hull;
  for (const Axis axis : kAllAxes) {
    const DeviceIndex stride = placement_.stride(axis);
    if (axis == Axis::kPipeline) {
      const bool ends = op.group == GroupKind::kFirstAndLastStage;
      const std::int32_t peer = op.kind == OpKind::kCollective ? stage : stage + op.peer_offset;
      hull.first += stride * (ends ? 0 : std::min(stage, peer));
      hull.last += stride * (ends ? placement_.degree(axis) - 1 : std::max(stage, peer));
    } else if (varied.contains(axis) || op.axes.contains(axis)) {
      hull.last += stride * (placement_.degree(axis) - 1);
    }
  }
  return hull;
}

AxisSet GroupFlows::axes_between(const Op& op) { return kOfStage.without(op.axes); }

GroupFlows::Slices GroupFlows::all_slices(const Op& op) const {
  Slices slices;
  for (const Axis axis : placement_.order()) {
    if (axes_between(op).contains(axis) && placement_.degree(axis) > 1) {
      slices.slowest = axis;
      slices.num_places = placement_.degree(axis);
    }
  }
  return slices;
}

GroupFlows::Slices GroupFlows::telling_slices(const Op& op, std::int32_t stage) const {
  Slices slices = all_slices(op);
  const std::int64_t stride = placement_.stride(slices.slowest);
  const Hull one = hull(op, stage, axes_between(op).without({slices.slowest}));
  const std::int64_t gpus_per_node = cluster_.hardware().gpus_per_node;
  // Slices are taken together until they fill nodes, or pods: what is moved by so much may be alike.
  for (const std::int64_t period : {gpus_per_node, gpus_per_node * cluster_.hardware().nodes_per_pod}) {
    const std::int64_t together = period / std::gcd(period, stride);
    if (period == 0 || together >= slices.num_places || slices.num_places % together != 0) {
      continue;
    }
    const auto last = static_cast<DeviceIndex>(one.last + stride * (together - 1));
    const auto like_first = [&](std::int64_t place) {
      return cluster_.is_alike_when_moved(one.first, last, place / together * together * stride);
    };
    if (cluster_.node_of(one.first) == cluster_.node_of(last)) {
      slices.num_places = static_cast<std::int32_t>(together);  // wherever they are
      break;
    }
    // Neighbours must not share what is theirs.
    if (like_first(together)) {
      slices.silent.resize(static_cast<std::size_t>(slices.num_places));
      for (std::int32_t place = static_cast<std::int32_t>(together); place < slices.num_places; ++place) {
        slices.silent[static_cast<std::size_t>(place)] = like_first(place);
      }
      break;
    }
  }
  return slices;
}

std::int32_t GroupFlows::first_rank(std::int32_t stage) const {
  Coordinates origin{};
  origin[static_cast<std::size_t>(Axis::kPipeline)] = stage;
  return placement_.rank_of(origin);
}

std::vector<std::int32_t> GroupFlows::leaders(const Op& op, std::int32_t stage, const Slices& slices,
                                              const ToldGroups& telling) const {
  std::vector<std::int32_t> of_slice =
      placement_.ranks_along(first_rank(stage), axes_between(op).without({slices.slowest}));
  if (op.kind == OpKind::kCollective && (op.group == GroupKind::kBlock || op.group == GroupKind::kStride)) {
    const std::int32_t count = placement_.num_along(op.axes);
    const bool block = op.group == GroupKind::kBlock;
    std::vector<std::int32_t> first_of_groups;
    for (const std::int32_t rank : of_slice) {
      for (std::int32_t place = 0; place < (block ? count : std::min(op.group_size, count));
           place += block ? op.group_size : 1) {
        first_of_groups.push_back(placement_.rank_along(rank, op.axes, place));
      }
    }
    of_slice = std::move(first_of_groups);
  }
  std::vector<std::int32_t> ranks;
  const std::int32_t stride = placement_.stride(slices.slowest);
  for (const std::int32_t of_first : of_slice) {
    for (std::int32_t place = 0; place < slices.num_places && !telling.are_silent(of_first, stride);) {
      const std::int32_t rank = of_first + place * stride;
      const std::int32_t silent = telling.num_silent(cluster_, rank);
      if (silent == 0 && slices.tells(place)) {
        ranks.push_back(rank);
      }
      place += silent == 0 ? 1 : (silent - 1) / stride + 1;
    }
  }
  if (!std::is_sorted(ranks.begin(), ranks.end())) {
    std::sort(ranks.begin(), ranks.end());
  }
  return ranks;
}

bool GroupFlows::is_alike(const Op& op, std::int32_t stage, std::int32_t other) const {
  const Hull all = hull(op, stage, kOfStage);
  const std::int64_t shift = std::int64_t{other - stage} * placement_.stride(Axis::kPipeline);
  return cluster_.is_alike_when_moved(all.first, all.last, shift);
}

std::vector<FlowSet> GroupFlows::all_groups(const Op& op, std::int32_t stage) const {
  return told_groups(op, stage, ToldGroups());
}

std::vector<FlowSet> GroupFlows::told_groups(const Op& op, std::int32_t stage,
                                             const ToldGroups& telling) const {
  std::vector<FlowSet> sets;
  const std::vector<std::int32_t> ranks = leaders(op, stage, all_slices(op), telling);
  sets.reserve(ranks.size());
  for (const std::int32_t rank : ranks) {
    sets.push_back(of_group(op, rank, telling));
  }
  return sets;
}

GroupFlows::Time GroupFlows::time_together(const Op& op, std::int32_t stage) const {
  LinkLoads loads;
  Seconds latency;
  const ToldGroups told = telling(op, stage);
  const bool told_by_nodes = told.blocks() || told.num_nodes() > 1;
  const std::vector<std::int32_t> ranks =
      leaders(op, stage, told_by_nodes ? all_slices(op) : telling_slices(op, stage), told);
  // Groups within nodes share no links: one tells for all.
  const bool alike =
      op.kind == OpKind::kCollective && op.group != GroupKind::kFirstAndLastStage && stay_in_nodes(op, stage);
  for (const std::int32_t rank : ranks) {
    const FlowSet set = of_group(op, rank, told);
    if (rank == ranks.front() && !alike) {
      loads.expect(2 * set.flows.size() * ranks.size());  // most flows have their own ends
    }
    loads.add(cluster_, set);
    latency = std::max(latency, set.latency);
    if (alike) {
      break;
    }
  }
  add_others_on_core(cluster_, told, loads);
  return {.transfer = loads.busiest(cluster_), .latency = latency};
}

bool GroupFlows::stay_in_nodes(const Op& op, std::int32_t stage) const {
  const std::int32_t last = placement_.num_along(op.axes) - 1;
  if (placement_.num_along(op.axes) > cluster_.hardware().gpus_per_node) {
    return false;
  }
  const std::vector<std::int32_t> ranks =
      leaders(op, stage, telling_slices(op, stage), telling_within_nodes(op));
  return std::all_of(ranks.begin(), ranks.end(), [&](std::int32_t rank) {
    return cluster_.node_of(placement_.rank_along(rank, op.axes, 0)) ==
           cluster_.node_of(placement_.rank_along(rank, op.axes, last));
  });
}

}  // namespace portolan
