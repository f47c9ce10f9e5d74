#include "plan/program_use.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "plan/cost.h"
#include "plan/group_flows.h"
#include "plan/rank_place.h"
#include "topology/cluster_layout.h"

namespace portolan {

namespace {

/// By the rail policy (Cluster::route).
CrossedLinks traffic_of(const FlowSet& set, const ClusterLayout& layout) {
  CrossedLinks traffic;
  for (const Flow& flow : set.flows) {
    const std::int64_t from = layout.node_of_gpu(flow.source);
    const std::int64_t to = layout.node_of_gpu(flow.destination);
    if (from == to) {
      traffic.nvlink = true;
      continue;
    }
    const std::int64_t from_pod = layout.pod_of_node(from);
    const std::int64_t to_pod = layout.pod_of_node(to);
    traffic.nic = true;
    traffic.nvlink |= layout.rail_of_gpu(flow.source) != layout.rail_of_gpu(flow.destination);
    traffic.pcie |= layout.pcie_switches_per_node > 0;
    traffic.trunk |= from_pod != to_pod;
    traffic.core_trunk |= layout.group_of_pod(from_pod) != layout.group_of_pod(to_pod);
  }
  return traffic;
}

class UseOfProgram {
 public:
  UseOfProgram(const Program& program, const Cluster& cluster)
      : program_(program),
        hardware_(cluster.hardware()),
        layout_(cluster.hardware()),
        flows_(placement_of(program), cluster) {}

  ProgramUse find() {
    for (std::size_t s = 0; s < program_.stages.size(); ++s) {
      for (const Template& t : program_.stages[s].templates) {
        for (const Op& op : t.ops) {
          see(op, static_cast<std::int32_t>(s));
        }
      }
    }
    return use_;
  }

 private:
  void see(const Op& op, std::int32_t stage) {
    use_.recomputes |= op.phase == Phase::kRecompute;
    if (op.kind == OpKind::kCompute) {
      for (const Kernel& kernel : op.kernels) {
        use_.kernels.insert(kernel.kind);
        const bool fp8 = kernel.shape.factor_bytes == 1;
        use_.fp8_products |= fp8;
        use_.wide_products |= is_gemm(kernel.kind) && !fp8;
        use_.grouped_products |=
            gemm_layout(kernel.kind) != GemmLayout::kAttention && kernel.shape.gemm_batch > 1;
        use_.narrow_values |=
            is_flash_attention(kernel.kind) && kernel.shape.columns != kernel.shape.head_dim;
        use_.routes |= kernel.kind == KernelKind::kRouterTopKForward;
      }
      return;
    }
    if (op.kind == OpKind::kCopy) {
      use_.copies = true;
      use_.send.pcie = true;
      return;
    }
    const bool is_collective = op.kind == OpKind::kCollective;
    if (is_known(op, stage)) {
      return;
    }
    CrossedLinks traffic;
    for (const FlowSet& set : flows_.told_groups(op, stage, flows_.telling(op, stage))) {
      traffic.add(traffic_of(set, layout_));
    }
    if (!traffic.nvlink && !traffic.nic) {
      return;  // to itself
    }
    if (is_collective) {
      use_.collectives.insert(op.collective);
    } else {
      use_.sends = true;
    }
    if (!has_points(hardware_, is_collective ? measured_name(op.collective) : "send_receive")) {
      if (is_collective) {
        use_.algorithms.insert(op.algorithm);
      }
      (is_collective ? use_.ring : use_.send).add(traffic);
    }
  }

  /// Whether an op with the same flows, but for their sizes, was seen on the stage.
  bool is_known(const Op& op, std::int32_t stage) {
    const auto alike = [&](const std::pair<std::int32_t, const Op*>& known) {
      return known.first == stage && flow_alike(*known.second, op);
    };
    if (std::any_of(known_.begin(), known_.end(), alike)) {
      return true;
    }
    known_.emplace_back(stage, &op);
    return false;
  }

  const Program& program_;
  const Hardware& hardware_;
  ClusterLayout layout_;
  GroupFlows flows_;
  ProgramUse use_;
  std::vector<std::pair<std::int32_t, const Op*>> known_;  ///< by stage: a handful of each
};

}  // namespace

ProgramUse use_of(const Program& program, const Cluster& cluster) {
  return UseOfProgram(program, cluster).find();
}

bool has_points(const Hardware& hardware, std::string_view collective) {
  return std::any_of(hardware.collective_points.begin(), hardware.collective_points.end(),
                     [&](const CollectivePoint& point) { return point.collective == collective; });
}

std::string_view measured_name(CollectiveKind kind) {
  return kind == CollectiveKind::kShift ? "send_receive" : collective_name(kind);
}

}  // namespace portolan
