#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "plan/op_flows.h"
#include "tests/property/collectives/placed_ops.h"
#include "tests/property/thinned.h"

namespace portolan {
namespace {

/// Flows within a node or between nodes, and the length of their paths.
using PathKind = std::pair<bool, std::size_t>;

struct Expected {
  std::map<LinkIndex, double> loads;
  double longest_s = 0;  ///< of a flow, beside all others
  std::set<std::pair<DeviceIndex, DeviceIndex>> flows;
};

PathKind kind_of(const Cluster& cluster, const Flow& flow) {
  return {cluster.node_of(flow.source) == cluster.node_of(flow.destination), links_of(cluster, flow).size()};
}

double slowest_link_s(const Cluster& cluster, const LinkList& route, std::map<LinkIndex, double>& bytes) {
  double longest = 0;
  for (const LinkIndex link : route) {
    longest = std::max(longest, bytes[link] / cluster.bandwidth(link).value);
  }
  return longest;
}

/// By every flow of every group.
std::map<PathKind, Expected> expected(const GroupFlows& groups, const Cluster& cluster, const Op& op,
                                      std::int32_t stage) {
  std::map<PathKind, Expected> kinds;
  std::map<LinkIndex, double> of_all;
  const std::vector<FlowSet> sets = groups.all_groups(op, stage);
  for (const FlowSet& set : sets) {
    for (const Flow& flow : set.flows) {
      Expected& kind = kinds[kind_of(cluster, flow)];
      kind.flows.emplace(flow.source, flow.destination);
      for (const LinkIndex link : links_of(cluster, flow)) {
        kind.loads[link] += flow.bytes;
        of_all[link] += flow.bytes;
      }
    }
  }
  for (const FlowSet& set : sets) {
    for (const Flow& flow : set.flows) {
      double& longest_s = kinds[kind_of(cluster, flow)].longest_s;
      longest_s =
          std::max(longest_s, slowest_link_s(cluster, links_of(cluster, flow), of_all) + set.latency.value);
    }
  }
  return kinds;
}

/// Of links that may not be crossed, each is looked at in one of so many ops.
constexpr LinkIndex kEveryLink = 5;

void expect_same(const OpFlows& flows, std::map<PathKind, Expected> kinds, const Cluster& cluster,
                 LinkIndex first_link, const std::string& what) {
  ASSERT_EQ(flows.kinds.size(), kinds.size()) << what;
  for (const OpFlows::Kind& kind : flows.kinds) {
    Expected& all = kinds[kind_of(cluster, kind.slowest)];
    ASSERT_TRUE(all.flows.contains({kind.slowest.source, kind.slowest.destination})) << what;
    ASSERT_EQ(kind.route, links_of(cluster, kind.slowest)) << what;
    std::map<LinkIndex, double> loads;
    kind.for_each_load(cluster, [&](LinkIndex link, double bytes) { loads[link] += bytes; });
    ASSERT_EQ(loads.size(), all.loads.size()) << what;
    for (const auto& [link, bytes] : all.loads) {
      ASSERT_NEAR(loads[link], bytes, 1e-9 * bytes) << what << " link " << link;
    }
    for (auto link = first_link; link < cluster.num_links(); link += kEveryLink) {
      const auto found = all.loads.find(link);
      const double bytes = found == all.loads.end() ? 0 : found->second;
      ASSERT_NEAR(kind.bytes_told(cluster, kind.groups.told(cluster, link)), bytes, 1e-9 * bytes)
          << what << " link " << link;
    }
    const LinkIndex busiest = kind.busiest.link;
    ASSERT_NE(std::find(kind.route.begin(), kind.route.end(), busiest), kind.route.end()) << what;
    const double told_s = kind.busiest.bytes / cluster.bandwidth(busiest).value;
    ASSERT_NEAR(told_s + kind.latency.value, all.longest_s, 1e-9 * all.longest_s) << what;
  }
}

struct Checked {
  std::int64_t num_ops = 0;
  std::int64_t num_told_by_nodes = 0;
  std::int64_t num_told_by_hops = 0;
  std::int64_t num_told_by_blocks = 0;
};

/// Each table is asked for all stages in turn: what it knows of one may serve another.
void check(const Hardware& hardware, const Placement& placement, Checked& checked,
           const NodeList& nodes = {}) {
  const Cluster cluster = Cluster::build(hardware, nodes).value();
  OpFlowsTable table(placement, cluster);
  for (const Op& op : communication_ops(placement)) {
    const bool ends = op.kind == OpKind::kCollective && op.group == GroupKind::kFirstAndLastStage;
    for (std::int32_t stage = 0; stage < (ends ? 1 : placement.degree(Axis::kPipeline)); ++stage) {
      if (!runs_on(placement, op, stage)) {
        continue;
      }
      const std::string what = testing::PrintToString(std::tuple(
          hardware.gpus_per_node, hardware.nics_per_node, hardware.nodes_per_pod, hardware.pods_per_group,
          hardware.spines, placement.degree(Axis::kTensor), placement.degree(Axis::kExpert),
          placement.degree(Axis::kData), static_cast<int>(placement.order()[3]),
          collective_name(op.collective), static_cast<int>(op.kind), static_cast<int>(op.group), stage));
      expect_same(table.of(op, stage), expected(table.groups(), cluster, op, stage), cluster,
                  static_cast<LinkIndex>(checked.num_ops % kEveryLink), what);
      if (testing::Test::HasFatalFailure()) {
        return;
      }
      const ToldGroups telling = table.groups().telling(op, stage);
      ++checked.num_ops;
      checked.num_told_by_nodes += telling.num_nodes() > 1 ? 1 : 0;
      checked.num_told_by_hops += telling.hops() ? 1 : 0;
      checked.num_told_by_blocks += telling.blocks() ? 1 : 0;
    }
  }
}

/// Some groups tell for those that sit alike; what all of them put on each link is told, and how long the
/// slowest flow takes.
TEST(OpFlows, AreThoseOfEveryGroup) {
  Checked checked;
  for (const Hardware& hardware : thinned(twelve_node_machines())) {
    for (const Placement& placement :
         placements(static_cast<std::int32_t>(hardware.num_nodes * hardware.gpus_per_node))) {
      check(hardware, placement, checked);
      if (HasFatalFailure()) {
        return;
      }
    }
  }
  EXPECT_GT(checked.num_ops, 1000);
  EXPECT_GT(checked.num_told_by_nodes, 50);
  EXPECT_GT(checked.num_told_by_hops, 50);
  EXPECT_GT(checked.num_told_by_blocks, 50);
}

/// Nodes that lie in an order of their own tell for none but their rails.
TEST(OpFlows, OfNodesInAnyOrderAreThoseOfEveryGroup) {
  Checked checked;
  const std::vector<Hardware> machines = thinned(twelve_node_machines());
  for (std::size_t m = 0; m < machines.size(); m += 3) {
    for (const Placement& placement : placements(static_cast<std::int32_t>(6 * machines[m].gpus_per_node))) {
      check(machines[m], placement, checked, {11, 2, 3, 7, 0, 8});
      if (HasFatalFailure()) {
        return;
      }
    }
  }
  EXPECT_GT(checked.num_ops, 300);
  EXPECT_EQ(checked.num_told_by_nodes + checked.num_told_by_hops + checked.num_told_by_blocks, 0);
}

/// Groups of groups too, which need not be neighbours: on every fifth machine, for time.
TEST(OpFlows, OfExpertsAreThoseOfEveryGroup) {
  Checked checked;
  const std::vector<Hardware> machines = thinned(twelve_node_machines());
  for (std::size_t m = 0; m < machines.size(); m += 5) {
    for (const Placement& placement : placements_of_experts(
             static_cast<std::int32_t>(machines[m].num_nodes * machines[m].gpus_per_node))) {
      check(machines[m], placement, checked);
      if (HasFatalFailure()) {
        return;
      }
    }
  }
  EXPECT_GT(checked.num_told_by_hops, 50);
  EXPECT_GT(checked.num_told_by_blocks, 50);
}

}  // namespace
}  // namespace portolan
