#include "tests/property/collectives/placed_ops.h"

#include "tests/property/topology/small_clusters.h"

namespace portolan {

std::vector<Hardware> twelve_node_machines() {
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

std::vector<Placement> placements_of_experts(std::int32_t num_gpus) {
  std::vector<Placement> list;
  for (const Placement& placement : placements(num_gpus)) {
    for (std::int32_t expert = 2; expert <= placement.degree(Axis::kData); ++expert) {
      if (placement.degree(Axis::kData) % expert == 0 && placement.degree(Axis::kTensor) <= 2) {
        const std::array<std::int32_t, kNumAxes> degrees = {placement.degree(Axis::kTensor), 1, expert,
                                                            placement.degree(Axis::kData) / expert,
                                                            placement.degree(Axis::kPipeline)};
        list.push_back({degrees, placement.order()});
      }
    }
  }
  return list;
}

std::vector<Op> communication_ops(const Placement& placement) {
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
    op.bytes = Bytes(630);
    list.push_back(op);
    op.group_size = 2;
    for (const GroupKind group : {GroupKind::kBlock, GroupKind::kStride}) {
      op.group = group;
      list.push_back(op);
    }
  }
  if (placement.degree(Axis::kExpert) > 1) {
    Op op;
    op.kind = OpKind::kCollective;
    op.bytes = Bytes(840);
    op.collective = CollectiveKind::kAllToAll;
    op.axes = {Axis::kExpert};
    list.push_back(op);
    op.collective = CollectiveKind::kAllReduce;
    op.axes = {Axis::kExpert, Axis::kData};
    list.push_back(op);
    op.algorithm = CollectiveAlgorithm::kHierarchical;
    list.push_back(op);
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

}  // namespace portolan
