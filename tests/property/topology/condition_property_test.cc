#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "small_clusters.h"
#include "topology/cluster_condition.h"
#include "topology/cluster_layout.h"
#include "topology/detour.h"
#include "topology/link_name.h"
#include "topology/place_name.h"
#include "topology/route.h"

// Every small cluster, with every one of its links dead, and with every two of those between nodes.

namespace portolan {
namespace {

void for_all_layouts(const std::function<void(const Hardware&, const ClusterLayout&)>& check) {
  for (const Hardware& hardware : small_hardware()) {
    SCOPED_TRACE(describe(hardware));
    check(hardware, ClusterLayout(hardware));
    if (testing::Test::HasFailure()) {
      return;
    }
  }
}

TEST(ConditionProperty, ReadsBackEveryName) {
  for_all_layouts([](const Hardware&, const ClusterLayout& layout) {
    for (LinkIndex link = 0; link < layout.num_links(); ++link) {
      const std::string name = name_of_link(layout, link);
      EXPECT_EQ(find_link(layout, name), link) << name;
      EXPECT_EQ(find_link(layout, name + "0"), std::nullopt) << name;
      EXPECT_EQ(find_link(layout, name.substr(1)), std::nullopt) << name;
    }
    for (std::int64_t gpu = 0; gpu < layout.num_gpus(); ++gpu) {
      const std::string node = "node" + std::to_string(layout.node_of_gpu(gpu));
      EXPECT_EQ(find_gpu(layout, node + ".gpu" + std::to_string(gpu % layout.gpus_per_node)), gpu);
      EXPECT_EQ(find_node(layout, node), layout.node_of_gpu(gpu));
    }
  });
}

TEST(ConditionProperty, RoutesAsEverWhereNothingIsDead) {
  for_all_layouts([](const Hardware&, const ClusterLayout& layout) {
    const ClusterCondition nothing = ClusterCondition::resolve(layout, {}).value();
    for (DeviceIndex source = 0; source < layout.num_gpus(); ++source) {
      for (DeviceIndex destination = 0; destination < layout.num_gpus(); ++destination) {
        EXPECT_EQ(living_route(layout, nothing, source, destination),
                  rail_route(layout, source, destination));
      }
    }
  });
}

/// The links that can die: those between nodes.
std::vector<LinkIndex> mortal_links(const ClusterLayout& layout) {
  std::vector<LinkIndex> links;
  for (LinkIndex link = 0; link < layout.num_links(); ++link) {
    const LinkKind kind = layout.kind_of_link(link);
    if (kind == LinkKind::kNic || kind == LinkKind::kTrunk || kind == LinkKind::kCoreTrunk) {
      links.push_back(link);
    }
  }
  return links;
}

/// With these dead: every two GPUs have a route over living links, the healthy one where that lives, or the
/// cluster is refused.
void check_dead(const Hardware& hardware, const ClusterLayout& layout, const std::set<LinkIndex>& dead) {
  Hardware with = hardware;
  for (const LinkIndex link : dead) {
    with.condition.push_back({ImpairmentKind::kDeadLink, name_of_link(layout, link)});
  }
  const ClusterCondition condition = ClusterCondition::resolve(layout, with.condition).value();
  bool all_reached = true;
  for (DeviceIndex source = 0; source < layout.num_gpus(); ++source) {
    for (DeviceIndex destination = 0; destination < layout.num_gpus(); ++destination) {
      const auto route = living_route(layout, condition, source, destination);
      all_reached = all_reached && route;
      if (!route) {
        continue;
      }
      const auto is_dead = [&](LinkIndex link) { return dead.contains(link); };
      EXPECT_TRUE(std::none_of(route->links.begin(), route->links.end(), is_dead));
      const Route healthy = rail_route(layout, source, destination);
      if (std::none_of(healthy.links.begin(), healthy.links.end(), is_dead)) {
        EXPECT_EQ(*route, healthy);
      }
    }
  }
  EXPECT_EQ(!find_unreachable(layout, condition), all_reached);
  EXPECT_EQ(!find_problem(with), all_reached);
}

TEST(ConditionProperty, FindsAWayAroundADeadLinkOrSaysThereIsNone) {
  for_all_layouts([](const Hardware& hardware, const ClusterLayout& layout) {
    for (const LinkIndex link : mortal_links(layout)) {
      check_dead(hardware, layout, {link});
    }
  });
}

TEST(ConditionProperty, FindsAWayAroundTwoDeadLinksOrSaysThereIsNone) {
  for_all_layouts([](const Hardware& hardware, const ClusterLayout& layout) {
    const std::vector<LinkIndex> links = mortal_links(layout);
    if (hardware.gpus_per_node > 2) {
      return;  // more show nothing new
    }
    for (std::size_t a = 0; a < links.size(); ++a) {
      for (std::size_t b = a + 1; b < links.size(); ++b) {
        check_dead(hardware, layout, {links[a], links[b]});
      }
    }
  });
}

}  // namespace
}  // namespace portolan
