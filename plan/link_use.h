#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "plan/op_flows.h"
#include "plan/program.h"
#include "topology/cluster.h"

namespace portolan {

/// Whether kernels ask `op` of the ranks that divide them: tensor, context and expert parallelism.
bool is_within_kernels(const Op& op);

/// How long the communications of a step use each link: tells which collectives within kernels have their
/// links to themselves.
class LinkUse {
 public:
  /// busy: what kernels, and collectives within them that meet nothing, take of each stage in a step.
  LinkUse(const Program& program, const Cluster& cluster, OpFlowsTable& flows,
          const std::vector<Seconds>& busy);

  /// Whether what can run beside `op`, which is within kernels of `stage`, shares its links for a negligible
  /// part of the step, or not at all.
  bool is_alone(const Op& op, std::int32_t stage) const;

 private:
  std::vector<std::vector<std::pair<const Op*, bool>>> alone_;  ///< by stage, a handful of shapes
};

}  // namespace portolan
