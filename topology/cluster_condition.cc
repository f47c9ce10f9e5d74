#include "topology/cluster_condition.h"

#include <fmt/format.h>

#include <vector>

#include "topology/link_name.h"
#include "topology/place_name.h"

namespace portolan {

namespace {

constexpr std::string_view kBothWays = "<->";

/// The links that a place says: one, or both directions of it. Empty: the cluster has none of that name.
std::vector<LinkIndex> links_named(const ClusterLayout& layout, std::string_view place) {
  const std::size_t both = place.find(kBothWays);
  if (both == std::string_view::npos) {
    const auto link = find_link(layout, place);
    return link ? std::vector{*link} : std::vector<LinkIndex>();
  }
  const auto link =
      find_link(layout, fmt::format("{}->{}", place.substr(0, both), place.substr(both + kBothWays.size())));
  return link ? std::vector{*link, *link ^ 1} : std::vector<LinkIndex>();
}

std::vector<LinkIndex> links_of_spine(const ClusterLayout& layout, std::int64_t spine) {
  std::vector<LinkIndex> links;
  for (std::int64_t leaf = 0; leaf < layout.num_leaves(); ++leaf) {
    if (layout.group_of_leaf(leaf) == spine / layout.spines_per_group) {
      links.push_back(layout.trunk_up(leaf, spine));
      links.push_back(layout.trunk_down(leaf, spine));
    }
  }
  for (std::int64_t core = 0; core < layout.num_cores; ++core) {
    links.push_back(layout.core_trunk_up(spine, core));
    links.push_back(layout.core_trunk_down(spine, core));
  }
  return links;
}

Error no_such(std::string_view what, const std::string& example, const ClusterLayout& layout) {
  return bad_input(
      fmt::format("the cluster has no such {} ({} nodes of {} GPUs and {} network cards, {} pods, "
                  "{} spines; such as {})",
                  what, layout.num_nodes, layout.gpus_per_node, layout.nics_per_node, layout.num_pods,
                  layout.num_spines(), example));
}

}  // namespace

Result<ClusterCondition> ClusterCondition::resolve(const ClusterLayout& layout, const Condition& condition) {
  ClusterCondition resolved;
  for (const Impairment& impairment : condition) {
    PORTOLAN_CHECK_OK(resolved.add(layout, impairment));
  }
  return resolved;
}

Result<void> ClusterCondition::add(const ClusterLayout& layout, const Impairment& impairment) {
  Result<void> added;
  if (!said_.emplace(impairment.kind, impairment.place).second) {
    added = bad_input("is there twice (must be there once)");
  } else if (!(impairment.share > 0 && impairment.share <= 1)) {
    added = bad_input(fmt::format("a share of {} is left (must be above 0, at most 1)", impairment.share));
  } else {
    added = add_known(layout, impairment);
  }
  return added ? added : bad_input(fmt::format("{}: {}", impairment_text(impairment), added.error().message));
}

Result<void> ClusterCondition::add_known(const ClusterLayout& layout, const Impairment& impairment) {
  switch (impairment.kind) {
    case ImpairmentKind::kSlowGpu: {
      const auto gpu = find_gpu(layout, impairment.place);
      if (!gpu) {
        return no_such("GPU", "node0.gpu0", layout);
      }
      if (impairment.share < 1) {
        gpu_shares_[*gpu] = impairment.share;
      }
      return {};
    }
    case ImpairmentKind::kFailedNic: {
      const auto nic = find_nic(layout, impairment.place);
      if (!nic) {
        return no_such("network card", "node0.nic0", layout);
      }
      PORTOLAN_CHECK_OK(kill(layout, layout.nic_up(*nic)));
      return kill(layout, layout.nic_down(*nic));
    }
    case ImpairmentKind::kFailedNode: {
      const auto node = find_node(layout, impairment.place);
      if (!node) {
        return no_such("node", "node0", layout);
      }
      failed_nodes_.insert(*node);
      return {};
    }
    case ImpairmentKind::kCongestedSpine: {
      const auto spine = find_spine(layout, impairment.place);
      if (!spine) {
        return no_such("spine", layout.num_groups > 1 ? "group0.spine0" : "spine0", layout);
      }
      for (const LinkIndex link : links_of_spine(layout, *spine)) {
        slow(link, impairment.share);
      }
      return {};
    }
    case ImpairmentKind::kSlowLink:
    case ImpairmentKind::kDeadLink:
      return add_links(layout, impairment);
  }
  return {};
}

Result<void> ClusterCondition::add_links(const ClusterLayout& layout, const Impairment& impairment) {
  const std::vector<LinkIndex> links = links_named(layout, impairment.place);
  if (links.empty()) {
    return no_such("link", name_of_link(layout, 0), layout);
  }
  for (const LinkIndex link : links) {
    if (impairment.kind == ImpairmentKind::kSlowLink) {
      slow(link, impairment.share);
    } else {
      PORTOLAN_CHECK_OK(kill(layout, link));
    }
  }
  return {};
}

void ClusterCondition::slow(LinkIndex link, double share) {
  if (share < 1) {
    link_shares_.try_emplace(link, 1.0).first->second *= share;
  }
}

Result<void> ClusterCondition::kill(const ClusterLayout& layout, LinkIndex link) {
  const LinkKind kind = layout.kind_of_link(link);
  if (kind == LinkKind::kNvLink || kind == LinkKind::kPcie) {
    return bad_input("a GPU has no other link there (allowed: slow-link, failed-node)");
  }
  link_shares_[link] = 0;
  has_dead_links_ = true;
  return {};
}

double ClusterCondition::link_share(LinkIndex link) const {
  const auto found = link_shares_.find(link);
  return found == link_shares_.end() ? 1 : found->second;
}

double ClusterCondition::gpu_share(std::int64_t gpu) const {
  const auto found = gpu_shares_.find(gpu);
  return found == gpu_shares_.end() ? 1 : found->second;
}

}  // namespace portolan
