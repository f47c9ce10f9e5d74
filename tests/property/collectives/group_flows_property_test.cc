#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "plan/collectives/link_loads.h"
#include "plan/group_flows.h"
#include "tests/property/thinned.h"
#include "tests/property/topology/small_clusters.h"

namespace portolan {
namespace {

/// Twelve nodes in pods, groups of pods and rails as small clusters have them.
std::vector<Hardware> machines() {
  std::vector<Hardware> list;
  for (Hardware hardware : small_hardware()) {
    if (hardware.num_nodes == 4 && hardware.gpus_per_node % 2 == 0) {
      hardware.num_nodes = 12;
      if (!find_problem(hardware)) {
        list.push_back(hardware);
      }
    }
  }
  return list;
}

/// Every way to cut the GPUs along three axes, in two orders.
std::vector<Placement> placements(std::int32_t num_gpus) {
  std::vector<Placement> list;
  for (std::int32_t tensor = 1; tensor <= num_gpus; ++tensor) {
    for (std::int32_t data = 1; num_gpus % tensor == 0 && data <= num_gpus / tensor; ++data) {
      if (num_gpus / tensor % data != 0) {
        continue;
      }
      const std::array<std::int32_t, kNumAxes> degrees = {tensor, 1, 1, data, num_gpus / tensor / data};
      list.push_back({degrees, {Axis::kTensor, Axis::kContext, Axis::kExpert, Axis::kData, Axis::kPipeline}});
      list.push_back({degrees, {Axis::kTensor, Axis::kContext, Axis::kExpert, Axis::kPipeline, Axis::kData}});
    }
  }
  return list;
}

std::vector<Op> ops(const Placement& placement) {
  std::vector<Op> list;
  for (const Axis axis : {Axis::kTensor, Axis::kData}) {
    Op op;
    op.kind = OpKind::kCollective;
    op.axes = {axis};
    op.bytes = Bytes(840);
    for (const CollectiveKind kind : {CollectiveKind::kReduceScatter, CollectiveKind::kAllToAll}) {
      op.collective = kind;
      list.push_back(op);
    }
    op.collective = CollectiveKind::kAllGather;
    op.group_size = 2;
    for (const GroupKind group : {GroupKind::kBlock, GroupKind::kStride}) {
      op.group = group;
      list.push_back(op);
    }
  }
  if (const std::int32_t stages = placement.degree(Axis::kPipeline); stages > 1) {
    Op op;
    op.kind = OpKind::kSend;
    op.axes = {Axis::kPipeline};
    op.bytes = Bytes(840);
    for (const std::int32_t offset : {1, 1 - stages}) {
      op.peer_offset = offset;
      list.push_back(op);
    }
    op.kind = OpKind::kCollective;
    op.group = GroupKind::kFirstAndLastStage;
    list.push_back(op);
  }
  return list;
}

bool runs_on(const Placement& placement, const Op& op, std::int32_t stage) {
  const std::int32_t peer = stage + op.peer_offset;
  return op.kind == OpKind::kCollective || (peer >= 0 && peer < placement.degree(Axis::kPipeline));
}

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
  for (const Hardware& hardware : thinned(machines())) {
    const Cluster cluster = Cluster::build(hardware).value();
    for (const Placement& placement : placements(static_cast<std::int32_t>(cluster.num_devices()))) {
      const GroupFlows flows(placement, cluster);
      for (const Op& op : ops(placement)) {
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
