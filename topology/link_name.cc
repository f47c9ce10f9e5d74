#include "topology/link_name.h"

#include <fmt/format.h>

#include <utility>

namespace portolan {

namespace {

struct Ends {
  std::string near;  ///< of the GPU
  std::string far;
  std::string within;  ///< what both are in, with a point
};

std::string leaf_name(const ClusterLayout& layout, std::int64_t leaf) {
  return fmt::format("pod{}.leaf{}", leaf / layout.leaves_per_pod, leaf % layout.leaves_per_pod);
}

/// With one group the spines need no other name.
std::string spine_name(const ClusterLayout& layout, std::int64_t spine) {
  return layout.num_groups == 1 ? fmt::format("spine{}", spine)
                                : fmt::format("group{}.spine{}", spine / layout.spines_per_group,
                                              spine % layout.spines_per_group);
}

Ends ends_in_node(const ClusterLayout& layout, std::int64_t gpu, std::string far) {
  return {fmt::format("gpu{}", gpu % layout.gpus_per_node), std::move(far),
          fmt::format("node{}.", layout.node_of_gpu(gpu))};
}

Ends ends_of(const ClusterLayout& layout, ClusterLayout::NumberedLink link) {
  const auto [kind, number] = link;
  switch (kind) {
    case LinkKind::kNvLink:
      return ends_in_node(layout, number, "nvswitch");
    case LinkKind::kNic:
      return {fmt::format("node{}.nic{}", number / layout.nics_per_node, number % layout.nics_per_node),
              leaf_name(layout, layout.leaf_of_nic(number)), ""};
    case LinkKind::kTrunk: {
      const std::int64_t leaf = number / layout.spines_per_group;
      const std::int64_t first_spine = layout.group_of_leaf(leaf) * layout.spines_per_group;
      return {leaf_name(layout, leaf), spine_name(layout, first_spine + number % layout.spines_per_group),
              ""};
    }
    case LinkKind::kCoreTrunk:
      return {spine_name(layout, number / layout.num_cores), fmt::format("core{}", number % layout.num_cores),
              ""};
    case LinkKind::kPcie:
      return ends_in_node(
          layout, number,
          fmt::format("pcie{}", layout.pcie_switch_of_gpu(number) % layout.pcie_switches_per_node));
  }
  return {};
}

}  // namespace

std::string name_of_link(const ClusterLayout& layout, LinkIndex link) {
  const Ends ends = ends_of(layout, layout.numbered(link));
  const bool up = ClusterLayout::is_upward(link);
  return fmt::format("{}{}->{}", ends.within, up ? ends.near : ends.far, up ? ends.far : ends.near);
}

}  // namespace portolan
