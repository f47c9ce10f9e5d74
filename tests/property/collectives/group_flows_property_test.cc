#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "plan/collectives/link_loads.h"
#include "plan/group_flows.h"
#include "tests/property/collectives/placed_ops.h"
#include "tests/property/thinned.h"

namespace portolan {
namespace {

/// By the loads of every flow of every group.
GroupFlows::Time time_of_all(const GroupFlows& flows, const Cluster& cluster, const Op& op,
                             std::int32_t stage) {
  LinkLoads loads;
  Seconds latency;
  for (const FlowSet& set : flows.all_groups(op, stage)) {
    loads.add(cluster, set);
    latency = std::max(latency, set.latency);
  }
  return {loads.busiest(cluster), latency};
}

/// Few groups are looked at where they are alike; all of them give the same, on each stage, and stages that
/// are said to be alike are.
TEST(GroupFlows, TimeOfGroupsTogetherIsThatOfEveryFlowOfAll) {
  std::int64_t num_checked = 0, num_alike = 0;
  for (const Hardware& hardware : thinned(twelve_node_machines())) {
    const Cluster cluster = Cluster::build(hardware).value();
    for (const Placement& placement : placements(static_cast<std::int32_t>(cluster.num_devices()))) {
      const GroupFlows flows(placement, cluster);
      for (const Op& op : communication_ops(placement)) {
        std::vector<GroupFlows::Time> times;
        std::vector<std::int32_t> stages;
        for (std::int32_t stage = 0; stage < placement.degree(Axis::kPipeline); ++stage) {
          if (!runs_on(placement, op, stage)) {
            continue;
          }
          const GroupFlows::Time all = time_of_all(flows, cluster, op, stage);
          const GroupFlows::Time told = flows.time_together(op, stage);
          const std::string what = testing::PrintToString(
              std::tuple(hardware.gpus_per_node, hardware.nodes_per_pod, hardware.pods_per_group,
                         hardware.spines, placement.degree(Axis::kTensor), placement.degree(Axis::kData),
                         static_cast<int>(placement.order()[3]), collective_name(op.collective),
                         static_cast<int>(op.kind), static_cast<int>(op.group), stage));
          ASSERT_NEAR(told.transfer.value, all.transfer.value, 1e-9 * all.transfer.value) << what;
          ASSERT_NEAR(told.latency.value, all.latency.value, 1e-9 * all.latency.value) << what;
          for (std::size_t i = 0; i < stages.size(); ++i) {
            if (flows.is_alike(op, stages[i], stage)) {
              ++num_alike;
              ASSERT_NEAR(times[i].transfer.value, all.transfer.value, 1e-9 * all.transfer.value) << what;
              ASSERT_NEAR(times[i].latency.value, all.latency.value, 1e-9 * all.latency.value) << what;
            }
          }
          times.push_back(all);
          stages.push_back(stage);
          ++num_checked;
        }
      }
    }
  }
  EXPECT_GT(num_checked, 1000);
  EXPECT_GT(num_alike, 1000);
}

}  // namespace
}  // namespace portolan
