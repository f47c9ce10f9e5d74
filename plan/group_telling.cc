#include <algorithm>
#include <numeric>

#include "plan/group_flows.h"

// Which groups, or which payloads of theirs, tell of the others.

namespace portolan {

bool GroupFlows::are_alike_in_pods(const Op& op) const {
  const std::optional<std::int32_t> nodes = cluster_.alike_nodes();
  if (!nodes) {
    return false;
  }
  // Groups of neighbouring ranks fill whole pods, and so members are whole pods apart.
  for (const Axis axis : placement_.order()) {
    if (placement_.degree(axis) == 1) {
      continue;
    }
    if (!axes_between(op).contains(axis)) {
      return false;
    }
    const std::int64_t filled = std::int64_t{placement_.stride(axis)} * placement_.degree(axis);
    if (filled % (*nodes * cluster_.hardware().gpus_per_node) == 0) {
      return true;
    }
  }
  return false;
}

std::optional<GroupFlows::Spread> GroupFlows::spread_of(const Op& op) const {
  Spread spread;
  for (const Axis axis : placement_.order()) {
    const std::int64_t degree = axis == Axis::kPipeline ? 1 : placement_.degree(axis);
    if (op.axes.contains(axis)) {
      spread.count *= degree;
    } else if (spread.count == 1) {
      spread.apart *= degree;
    } else if (degree > 1) {
      return std::nullopt;
    }
  }
  return spread;
}

std::optional<ToldHops> GroupFlows::hops_of(const Op& op, std::int32_t stage) const {
  const bool by_rings =
      op.collective == CollectiveKind::kReduceScatter || op.collective == CollectiveKind::kAllGather ||
      (op.collective == CollectiveKind::kAllReduce && op.algorithm != CollectiveAlgorithm::kTree);
  const std::optional<Spread> spread = spread_of(op);
  if (op.kind != OpKind::kCollective || !by_rings || !spread ||
      (op.group != GroupKind::kAxes && op.group != GroupKind::kStride)) {
    return std::nullopt;
  }
  const std::int64_t in_turn = op.group == GroupKind::kStride ? op.group_size : 1;
  const std::int64_t apart = spread->apart * in_turn;
  const std::int64_t of_stage = spread->apart * spread->count;
  const std::int64_t num_stages = placement_.degree(Axis::kPipeline);
  const std::int64_t side_by_side = std::min<std::int64_t>(placement_.stride(Axis::kPipeline), of_stage);
  const std::int64_t gpus_per_node = cluster_.hardware().gpus_per_node;
  const std::int64_t first = first_rank(stage);
  ToldHops::Nodes nodes{.first = first / gpus_per_node};
  std::int64_t on_a_node = gpus_per_node;  // ranks of the stage
  if (spread->count % in_turn != 0) {
    return std::nullopt;
  }
  if (side_by_side == of_stage) {
    // The first and the last node are shared with other stages where these do not begin with a node.
    nodes.count = (first + of_stage - 1) / gpus_per_node - nodes.first + 1;
    nodes.differ = first % gpus_per_node == 0 && of_stage % gpus_per_node == 0 ? 0 : 1;
  } else if (side_by_side % gpus_per_node == 0 && first % gpus_per_node == 0) {
    nodes.width = side_by_side / gpus_per_node;
    nodes.period = nodes.width * num_stages;
    nodes.count = of_stage / gpus_per_node;
  } else if (gpus_per_node % (side_by_side * num_stages) == 0 && of_stage * num_stages % gpus_per_node == 0) {
    on_a_node = gpus_per_node / num_stages;
    nodes.count = of_stage / on_a_node;
  } else if (gpus_per_node % side_by_side == 0 && side_by_side * num_stages % gpus_per_node == 0) {
    on_a_node = side_by_side;
    nodes.period = side_by_side * num_stages / gpus_per_node;
    nodes.count = of_stage / on_a_node;
  } else {
    return std::nullopt;
  }
  nodes.hop = std::max<std::int64_t>(apart / on_a_node, 1);
  const bool in_each_node = on_a_node % apart == 0;
  if ((!in_each_node && (apart % on_a_node != 0 || nodes.differ > 0)) || nodes.hop >= nodes.count) {
    return std::nullopt;
  }
  return ToldHops(cluster_, nodes);
}

std::optional<ToldBlocks> GroupFlows::blocks_of(const Op& op, std::int32_t stage) const {
  std::int64_t stride = 0;
  std::int64_t num_places = 0;
  Hull one;
  if (op.kind == OpKind::kCollective && op.group == GroupKind::kBlock) {
    const std::optional<Spread> spread = spread_of(op);
    const bool has_neighbours =
        placement_.stride(Axis::kPipeline) == placement_.num_ranks() / placement_.degree(Axis::kPipeline);
    if (!spread || !has_neighbours || spread->count % op.group_size != 0) {
      return std::nullopt;
    }
    stride = spread->apart * op.group_size;
    num_places = spread->count / op.group_size;
    one.first = first_rank(stage);
    one.last = static_cast<DeviceIndex>(one.first + stride - 1);
  } else {
    const Slices slices = all_slices(op);
    stride = placement_.stride(slices.slowest);
    num_places = slices.num_places;
    one = hull(op, stage, axes_between(op).without({slices.slowest}));
  }
  const std::int64_t gpus_per_node = cluster_.hardware().gpus_per_node;
  // Taken together until they fill nodes, or pods.
  for (const std::int64_t filled : {gpus_per_node, gpus_per_node * cluster_.hardware().nodes_per_pod}) {
    const std::int64_t together = filled / std::gcd(filled, stride);
    if (filled == 0 || together >= num_places || num_places % together != 0) {
      continue;
    }
    constexpr std::int64_t kTried = 4;  // one of the first lies well, or few do
    const std::int64_t num_blocks = num_places / together;
    for (std::int64_t place = 0; place < std::min(num_blocks, kTried); ++place) {
      const std::int64_t apart = stride * together;
      const ToldBlocks::Blocks blocks{
          .first = static_cast<DeviceIndex>(one.first + place * apart),
          .last = static_cast<DeviceIndex>(one.last + stride * (together - 1) + place * apart),
          .apart = apart,
          .before = place,
          .behind = num_blocks - 1 - place};
      if (ToldBlocks::are_apart(cluster_, blocks)) {
        return ToldBlocks(blocks);
      }
    }
  }
  return std::nullopt;
}

ToldGroups GroupFlows::telling(const Op& op, std::int32_t stage) const {
  const ToldGroups groups = telling_within_nodes(op);
  if (groups.num_nodes() > 1 || !cluster_.is_regular()) {
    return groups;
  }
  if (const auto hops = hops_of(op, stage)) {
    return groups.with(*hops);
  }
  const auto blocks = blocks_of(op, stage);
  return blocks ? groups.with(*blocks) : groups;
}

ToldGroups GroupFlows::telling_within_nodes(const Op& op) const {
  const std::optional<std::int32_t> width = cluster_.rail_width();
  const auto gpus_per_node = static_cast<std::int32_t>(cluster_.hardware().gpus_per_node);
  for (const Axis axis : placement_.order()) {
    if (!width || !axes_between(op).contains(axis) || placement_.degree(axis) == 1) {
      continue;
    }
    const std::int32_t stride = placement_.stride(axis);
    const std::int32_t unit = std::lcm(stride, *width);
    const std::int32_t span = std::gcd(stride * placement_.degree(axis), gpus_per_node);
    const bool by_rails = span % unit == 0;
    return {cluster_, by_rails ? unit : 1, by_rails ? span : 1, are_alike_in_pods(op)};
  }
  return {};
}

}  // namespace portolan
